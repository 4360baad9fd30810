// Package judge finds out what a site can see of its visitor through a
// proxy.
//
// An [Origin] is a site that keeps the exact bytes it is sent and answers
// with whatever a test needs; its page and its JSON say what it sees. [Run]
// sends an origin the requests of many browsers through a proxy, with
// something recognisable planted in every place that could identify a
// person, and returns a [Report]: what was sent, what arrived, what leaked
// and which [Grade] that earns.
//
// The judge knows no proxy: it speaks HTTP/1.1 to an address and believes
// only the bytes that arrive at the origin and come back to the client.
//
// Its limits: it plants what it has thought of, so a clean report is no
// proof; it looks at HTTP only, neither at TLS nor at TCP; and it does not
// measure time, which is how a cache betrays what others have read.
package judge
