package filters

import (
	"net/http"
	"slices"
	"strings"
)

// trailerFields are the fields that serve a message after its content. All
// others go: those that RFC 9110 §6.5.1 forbids there, and those that nobody
// needs, among which identifiers hide from filters that read heads only.
var trailerFields = newNameIndex([]group{
	{serves, "RFC 9530; the content's own digest", `digest content-digest repr-digest want-content-digest
		want-repr-digest content-md5 x-amz-checksum-* x-amz-trailer-signature x-goog-hash`},
	{serves, "RFC 9421; signs the content", `signature signature-input`},
	{serves, "grpc.io, gRPC over HTTP/2; connectrpc.com", `grpc-status grpc-message grpc-status-details-bin`},
})

// Trailer scrubs the trailer fields h of either message of m and appends what it changed to
// log. It keeps what trailerFields name, and of answers also what no table names, not even
// those for requests: an origin may say there what it could say in its head, where scripts read
// what it calls a device or a language. What holds the client's address goes from requests
// alone, see [ownQuery].
func (s *Set) Trailer(m *Message, h http.Header, log []Change) []Change {
	n := len(log)
	spoils := func(text string) bool { return hasControl(text) || m.Response == nil && holdsAddress(text, m.Client) }
	for name, lines := range h {
		v := trailerFields.judge(name)
		if why, remove := judgeResponse(name, names); m.Response != nil && why == "" && !remove {
			v.class = serves
		}
		if v.class != serves || strings.IndexByte(name, '_') >= 0 || !keepsGrammar(name, lines) ||
			spoils(name) || slices.ContainsFunc(lines, spoils) {
			log = drop(h, name, "RFC 9110 §6.5.1; serves no message from its trailer", log)
		}
	}
	return sorted(log, n)
}
