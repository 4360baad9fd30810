// Package wire is guise's two HTTP/1.1 ends (RFC 9112): [Server] reads
// requests from clients, [Transport] sends them to origins. Both refuse
// what two parsers could read differently, so whatever passes has one
// meaning and leaves in one canonical form.
//
// Start a [Server] like an http.Server: give it a Handler and call
// [Server.Serve] for each listener. Handlers see ordinary *http.Request and
// http.ResponseWriter values. HTTP/2 is not spoken here.
package wire

// A ProtocolError says that the peer broke the syntax of HTTP/1.1, or a limit.
type ProtocolError struct {
	Status int    // what a server answers, such as 400; no meaning for a response
	What   string // what is wrong; never holds a byte of the message
}

func (e *ProtocolError) Error() string { return "malformed message: " + e.What }

func malformed(what string) error { return &ProtocolError{Status: 400, What: what} }
