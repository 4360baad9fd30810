package config

import "strings"

// closest returns the candidate that word was most likely meant to be: one a few edits
// away, or one that begins with word or is its beginning; "" if there is none.
func closest(word string, candidates []string) string {
	if len(word) > 64 {
		return ""
	}
	best, found := max(1, len(word)/3)+1, ""
	for _, c := range candidates {
		d := distance(strings.ToLower(word), c)
		if d < best {
			best, found = d, c
		}
	}
	if found != "" {
		return found
	}
	// listen for listeners, warning for warn.
	for _, c := range candidates {
		word := strings.ToLower(word)
		if len(word) >= 3 && strings.HasPrefix(c, word) || len(c) >= 4 && strings.HasPrefix(word, c) && !strings.Contains(word, ".") {
			return c
		}
	}
	return ""
}

// distance is the number of edits between a and b (Levenshtein, with a swap
// of neighbours as one edit).
func distance(a, b string) int {
	before, last, row := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range last {
		last[j] = j
	}
	for i := 1; i <= len(a); i++ {
		row[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			row[j] = min(last[j]+1, row[j-1]+1, last[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
		before, last, row = last, row, before
	}
	return last[len(b)]
}
