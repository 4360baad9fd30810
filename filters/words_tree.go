package filters

// A wordTree finds the words that a text of small letters begins with, by a step for each
// letter. The first node is the root.
type wordTree []struct {
	next   [26]uint16 // node by letter; 0 for none
	isWord bool
}

func newWordTree(words map[string]weight) wordTree {
	t := make(wordTree, 1)
	for word := range words {
		t = t.with(word)
	}
	return t
}

// with returns t with word, which holds small letters alone: names are split at all else.
func (t wordTree) with(word string) wordTree {
	at := uint16(0)
	for i := range len(word) {
		letter := word[i] - 'a'
		if t[at].next[letter] == 0 {
			t[at].next[letter] = uint16(len(t))
			t = append(t, make(wordTree, 1)...)
		}
		at = t[at].next[letter]
	}
	t[at].isWord = true
	return t
}
