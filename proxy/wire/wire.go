// Package wire is guise's two ends: [Server] reads requests from clients, and
// [Transport] and [HTTP2Conn] send them to origins, all in HTTP/1.1 (RFC 9112)
// and HTTP/2 (RFC 9113). All refuse what two parsers could read differently,
// so whatever passes has one meaning and leaves in one canonical form.
//
// Start a [Server] like an http.Server: give it a Handler and call
// [Server.Serve] for each listener. Handlers see ordinary *http.Request and
// http.ResponseWriter values.
//
// Towards origins, call [Transport.RoundTrip]: it speaks HTTP/1.1. To speak
// HTTP/2, open the connection with [Transport.Connect], hand it to
// [Transport.HTTP2], and call [HTTP2Conn.RoundTrip] for each stream that
// [HTTP2Conn.Reserve] sets aside. Which of the two an origin wants, and how
// many connections it gets, is for the caller to know.
//
// HTTP/2 is our own because no other server in Go lets one half of a stream
// close before the other, which tunnels need (RFC 9113 §8.5), offers WebSocket
// over HTTP/2 (RFC 8441) without an environment variable, or adds no field to
// a response. Its field compression is golang.org/x/net/http2/hpack. The
// server's half is in the files that begin with http2, but for what both share: frame,
// payload, input, output, patience and ended; the origin's half is in those that begin
// with transport_http2.
package wire

import "strconv"

// A ProtocolError says that the peer broke the syntax of HTTP, or a limit.
type ProtocolError struct {
	Status int    // what a server answers, such as 400; of a response, 431 says that its head is too large
	What   string // what is wrong; never holds a byte of the message
}

func (e *ProtocolError) Error() string { return "malformed message: " + e.What }

// answer returns the body of a server's response.
func (e *ProtocolError) answer() string {
	return strconv.Itoa(e.Status) + " " + statusText(e.Status) + ": " + e.What + "\n"
}

func malformed(what string) error { return &ProtocolError{Status: 400, What: what} }
