package proxy

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"html/template"
	"io"
	"maps"
	"net"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"syscall"

	_ "embed"

	"guise/proxy/console"
	"guise/proxy/egress"
	"guise/proxy/inspect"
	"guise/proxy/wire"
)

// A failure is an answer that guise gives itself, because a request may not
// or cannot be carried out.
type failure struct {
	status int
	kind   string // proxy error type of RFC 9209 §2.3; "" for an answer that is no error
	title  string
	detail string
	header http.Header // further fields; nil for none
}

// The failures that do not depend on an error's text.
var (
	allowed = http.Header{"Allow": {"GET, HEAD, POST, PUT, DELETE, OPTIONS, PATCH, CONNECT"}}

	notAdmitted      = failure{status: 403, kind: "http_request_denied", title: "Not allowed here", detail: "This proxy does not serve the network that you come from, unless its operator opens it (access.networks)."}
	needsCredentials = failure{status: 407, kind: "http_request_denied", title: "Credentials needed", detail: "This proxy serves those who show credentials that it knows."}
	noCertificate    = failure{status: 403, kind: "http_request_denied", title: "Certificate needed", detail: "This proxy serves those who show a certificate that it knows.", header: http.Header{"Connection": {"close"}}} // a new one asks for it
	refusedTarget    = failure{status: 403, kind: "http_request_denied", title: "Destination refused", detail: "This proxy's rules do not let requests go there. Private addresses and names, some ports and the hosts on its lists are closed unless its operator opens them (destinations)."}
	refusedPort      = failure{status: 403, kind: "http_request_denied", title: "Port refused", detail: "This proxy's rules do not let requests go to that port, on any host, unless its operator opens it (destinations.ports, and destinations.connect_ports for tunnels)."}
	badTarget        = failure{status: 400, kind: "http_request_error", title: "Bad destination", detail: "The request names a destination that cannot exist."}
	otherScheme      = failure{status: 400, kind: "http_request_error", title: "Unknown scheme", detail: "This proxy carries http and https, and nothing else."}
	badRequest       = failure{status: 400, kind: "http_request_error", title: "Bad request", detail: "The request is malformed, so nothing of it was sent on."}
	brokenUpload     = failure{status: 400, kind: "http_request_error", title: "Bad request", detail: "The content of the request is malformed, or broke off, so the origin did not get all of it."}
	tlsWanted        = failure{status: 400, kind: "http_request_error", title: "TLS wanted", detail: "This address of the proxy speaks TLS: it is an https:// proxy, not an http:// one."}
	socksWanted      = failure{status: 400, kind: "http_request_error", title: "SOCKS wanted", detail: "This address of the proxy speaks SOCKS: it is a socks5:// proxy, not an http:// one."}
	traceRefused     = failure{status: 405, kind: "http_request_denied", title: "Method not allowed", detail: "TRACE would show what other fields the way adds.", header: allowed}
	byAddress        = failure{status: 403, title: "Only by address", detail: "Any site could lead its name to this proxy and read this page. Open it by the proxy's address, such as http://192.168.1.2:8118/ca.pem."}
	nothingToTrust   = failure{status: 404, title: "No certificate", detail: "This proxy does not look inside HTTPS, so there is no certificate to import, unless its operator turns that on (inspection.enabled)."}
	notAProxyUse     = failure{status: 404, title: "Nothing here", detail: "This is a proxy. Set it as your browser's proxy, rather than opening it as a site. A program asks it for the whole URL, with http:// and the host."}
	reported         = failure{status: 410, kind: "http_request_denied", title: "Not reported", detail: "Browsers report to sites who they are and what they do. Nothing of it is sent on."}
	ownOptions       = failure{status: 204, detail: "The request may go no further, so this proxy answers it.", header: allowed} // the detail is for Explain alone
	nestedConnect    = failure{status: 405, kind: "http_request_denied", title: "Method not allowed", detail: "There are no tunnels inside a connection that is inspected.", header: allowed}
	misdirected      = failure{status: 421, kind: "http_request_error", title: "Another host", detail: "The request is for another host than the one this connection was opened to."}
	looped           = failure{status: 502, kind: "proxy_loop_detected", title: "Loop detected", detail: "The request came back to this proxy."}
	brokenOff        = failure{status: 502, kind: "connection_terminated", title: "Connection broken", detail: "The connection to the origin ended before it answered."}
	brokenTLS        = failure{status: 502, kind: "tls_protocol_error", title: "TLS failed", detail: "The origin does not speak TLS as expected."}
	askedByOrigin    = failure{status: 502, kind: "http_protocol_error", title: "Not the origin's to ask", detail: "The origin answered 407, as only a proxy may. Browsers would take that for this proxy's answer, and forget its password."}
	undecoded        = failure{status: 502, kind: "proxy_internal_error", title: "Too much to decode", detail: "The origin's answer is in a coding that your program does not accept, and this proxy decodes too much already to decode it as well."}
	internalFault    = failure{status: 500, kind: "proxy_internal_error", title: "Internal error", detail: "The proxy failed to handle the request."}
	unknownProtocol  = failure{status: 501, kind: "http_upgrade_failed", title: "Unknown protocol", detail: "Only a WebSocket can be opened within HTTP/2."}
	noWebSocket      = failure{status: 502, kind: "http_upgrade_failed", title: "No WebSocket", detail: "The origin's answer opens no WebSocket."}
	unknownUpgrade   = failure{status: 502, kind: "http_upgrade_failed", title: "Unexpected upgrade", detail: "The origin switched to a protocol that was not asked for."}
)

// errSOCKSRefused ends the connection of a SOCKS client that was told why.
var errSOCKSRefused = errors.New("SOCKS request refused")

// failureOf says why a round trip or a dial failed, in the words of RFC 9209.
// What the client is told depends on the error's type alone: the text of an
// error may hold what is not the client's to know.
func failureOf(err error) failure {
	if f, ok := requestFault(err); ok {
		return f
	}
	if f, ok := ownFault(err); ok {
		return f
	}
	f, ok := nameFault(err)
	if !ok {
		f, ok = tlsFault(err)
	}
	if !ok {
		f, ok = wireFault(err)
	}
	if !ok {
		f = connectionFault(err)
	}
	if is[*egress.HopError](err) {
		f.detail = "The upstream proxy is at fault: " + ofUpstream.Replace(f.detail)
	}
	return f
}

// ofUpstream makes what is said of an origin fit for an upstream proxy that was named
// just before.
var ofUpstream = strings.NewReplacer("The origin's", "Its", "the origin's", "its", "The origin", "It", "the origin", "it")

// is reports whether err is or wraps an error of type E.
func is[E error](err error) bool {
	_, ok := errors.AsType[E](err)
	return ok
}

// requestFault recognises what the client or the rules are to blame for.
func requestFault(err error) (failure, bool) {
	switch {
	case errors.Is(err, egress.ErrPort):
		return refusedPort, true
	case is[*egress.Refused](err):
		return refusedTarget, true
	case errors.Is(err, egress.ErrBadHost):
		return badTarget, true
	case is[*wire.RequestError](err):
		return badRequest, true
	case errors.Is(err, context.Canceled): // a client that closed only its sending half reads this
		return failure{status: 400, kind: "http_request_error", title: "Client gone", detail: "The client ended its side of the connection, and after a while it was taken to have left."}, true
	case errors.Is(err, errPanicked):
		return internalFault, true
	case is[*wire.RequestBodyError](err):
		if errors.Is(err, os.ErrDeadlineExceeded) {
			return failure{status: 408, kind: "http_request_error", title: "Request timed out", detail: "The request's body did not arrive in time."}, true
		}
		return brokenUpload, true
	}
	return failure{}, false
}

// ownFault recognises what this machine has too little of. Neither the origin nor
// an upstream proxy is at fault then.
func ownFault(err error) (failure, bool) {
	f := overLimit(errShort)
	f.kind = "proxy_internal_error"
	return f, egress.Short(err)
}

func nameFault(err error) (failure, bool) {
	dns, ok := errors.AsType[*net.DNSError](err)
	switch {
	case !ok:
		return failure{}, false
	case dns.IsTimeout:
		return failure{status: 504, kind: "dns_timeout", title: "Name look-up timed out", detail: "No name server answered in time."}, true
	}
	f := failure{status: 502, kind: "dns_error", title: "Name look-up failed", detail: "The name servers could not answer."}
	said := ""
	if lookup, ok := errors.AsType[*egress.LookupError](err); ok {
		said = lookup.RCode
		f.kind += `;rcode="` + said + `"`
	}
	switch {
	case said == "NOERROR":
		f.title, f.detail = "No address", "The name servers know this host, but no address of it."
	case said == "NXDOMAIN", said == "" && dns.IsNotFound:
		f.title, f.detail = "Name not found", "No name server knows this host. Is it spelled right?"
	}
	return f, true
}

func tlsFault(err error) (failure, bool) {
	if lost, late := errors.AsType[*wire.ConnError](err); late {
		return lateTLSFault(lost.Err)
	}
	origin, ok := errors.AsType[*wire.HandshakeError](err)
	hop, ofHop := errors.AsType[*egress.TLSError](err)
	if !ok && !ofHop {
		return failure{}, false
	}
	if fault, bad := certificateFault(err); bad {
		return fault, true
	}
	switch {
	case is[*tls.CertificateVerificationError](err): // the upstream proxy's
		return failure{status: 502, kind: "tls_certificate_error", title: "Upstream proxy not verified", detail: "Its certificate is not valid, not for its name, or of nobody whom this machine trusts (upstream.authorities), so nothing was sent to it."}, true
	case ok && origin.Timeout(), ofHop && hop.Timeout():
		return failure{status: 504, kind: "connection_timeout", title: "TLS timed out", detail: "The origin did not finish the TLS handshake in time."}, true
	}
	if fault, refused := alertFault(err); refused {
		return fault, true
	}
	ends := []error{io.EOF, io.ErrUnexpectedEOF, syscall.ECONNRESET, syscall.EPIPE}
	if slices.ContainsFunc(ends, func(end error) bool { return errors.Is(err, end) }) {
		return brokenOff, true
	}
	return brokenTLS, true
}

// lateTLSFault recognises TLS errors after the handshake: in TLS 1.3 an origin refuses a
// client there, such as one without a certificate.
func lateTLSFault(err error) (failure, bool) {
	if fault, refused := alertFault(err); refused {
		return fault, true
	}
	return brokenTLS, notTaken(err)
}

// notTaken reports whether err is that of crypto/tls about what an origin sent. It has no
// type, but a prefix.
func notTaken(err error) bool { return strings.HasPrefix(err.Error(), "tls: ") }

// alertFault says that an origin refused TLS, if that is what err is about.
func alertFault(err error) (failure, bool) {
	alert, refused := inspect.Alert(err)
	return failure{status: 502, kind: "tls_alert_received;alert-id=" + strconv.Itoa(int(alert)), title: "TLS refused", detail: "The origin refused the TLS connection."}, refused
}

// certificateFault says what is wrong with an origin's certificate, if that is
// what err is about.
func certificateFault(err error) (failure, bool) {
	if !is[*tls.CertificateVerificationError](err) || is[*egress.HopError](err) {
		return failure{}, false
	}
	f := failure{status: 502, kind: "tls_certificate_error", title: "Certificate not valid"}
	invalid, _ := errors.AsType[x509.CertificateInvalidError](err)
	switch {
	case is[x509.HostnameError](err):
		f.title, f.detail = "Certificate of another site", "The site's certificate was issued for another name."
	case is[x509.UnknownAuthorityError](err):
		f.title, f.detail = "Certificate of an unknown issuer", "Nobody whom this machine trusts vouches for the site's certificate."
	case errors.Is(err, errRevoked):
		f.title, f.detail = "Certificate revoked", "The issuer of the site's certificate has revoked it."
	case errors.Is(err, errNotStapled):
		f.title, f.detail = "Certificate without its issuer's word", "The site's certificate requires its issuer's word that it is not revoked (OCSP stapling), and the site sends none."
	case invalid.Reason == x509.Expired:
		f.title, f.detail = "Certificate out of date", "The site's certificate has expired, or is not valid yet."
	default:
		f.detail = "The site's certificate could not be verified."
	}
	f.detail += " Somebody may be posing as the site, so nothing was sent to it."
	return f, true
}

func wireFault(err error) (failure, bool) {
	protocol, bad := errors.AsType[*wire.ProtocolError](err)
	large := bad && protocol.Status == http.StatusRequestHeaderFieldsTooLarge
	switch {
	case large && is[*wire.CodingError](err): // behind the last chunk
		return failure{status: 502, kind: "http_response_trailer_section_size", title: "Answer too large", detail: "The trailer section of the origin's answer is larger than this proxy takes."}, true
	case large:
		return failure{status: 502, kind: "http_response_header_section_size", title: "Answer too large", detail: "The head of the origin's answer is larger than this proxy takes."}, true
	case is[*wire.CodingError](err):
		return failure{status: 502, kind: "http_response_transfer_coding", title: "Malformed response", detail: "The transfer coding of the origin's answer is unknown, or broken."}, true
	case bad:
		return failure{status: 502, kind: "http_protocol_error", title: "Malformed response", detail: "The origin's answer is not valid HTTP (" + protocol.What + "), so nothing of it is passed on."}, true
	case errors.Is(err, wire.ErrIncomplete):
		return failure{status: 502, kind: "http_response_incomplete", title: "Incomplete response", detail: "The origin's answer broke off before its body."}, true
	case is[*codingError](err):
		return failure{status: 502, kind: "http_response_content_coding", title: "Damaged response", detail: "The origin's answer does not decode."}, true
	case errors.Is(err, wire.ErrWriteTimeout):
		return failure{status: 504, kind: "connection_write_timeout", title: "Connection stalled", detail: "The origin did not take the request in time."}, true
	case errors.Is(err, wire.ErrResponseTimeout):
		return failure{status: 504, kind: "http_response_timeout", title: "No answer in time", detail: "The origin accepted the request but did not answer in time (timeouts.response)."}, true
	}
	return failure{}, false
}

func connectionFault(err error) failure {
	op, ok := errors.AsType[*net.OpError](err)
	dialing := ok && op.Op == "dial" && !errors.Is(err, syscall.ECONNRESET) // by which only an accepted connection ends
	timeout, ok := errors.AsType[interface {
		error
		Timeout() bool
	}](err)
	timedOut := ok && timeout.Timeout() || errors.Is(err, context.DeadlineExceeded)
	answered, ok := errors.AsType[*egress.HopAnswer](err)
	switch {
	case ok:
		return failure{status: 502, kind: "destination_unavailable", title: "Upstream proxy failed", detail: strings.ToUpper(answered.What[:1]) + answered.What[1:] + "."}
	case errors.Is(err, syscall.ECONNREFUSED):
		return failure{status: 502, kind: "connection_refused", title: "Connection refused", detail: "The origin does not accept connections there."}
	case errors.Is(err, syscall.ENETUNREACH), errors.Is(err, syscall.EHOSTUNREACH), errors.Is(err, syscall.EADDRNOTAVAIL):
		return failure{status: 502, kind: "destination_ip_unroutable", title: "Destination unreachable", detail: "There is no route to the origin."}
	case timedOut && dialing:
		return failure{status: 504, kind: "connection_timeout", title: "Connection timed out", detail: "The origin did not accept the connection in time."}
	case timedOut:
		return failure{status: 504, kind: "connection_read_timeout", title: "Connection stalled", detail: "The connection to the origin stood still for too long."}
	case errors.Is(err, egress.ErrOwnHop):
		return failure{status: 502, kind: looped.kind, title: looped.title, detail: "It is this proxy itself (upstream.chain)."}
	case dialing:
		return failure{status: 502, kind: "destination_unavailable", title: "Connection failed", detail: "No connection to the origin could be made."}
	}
	return brokenOff
}

//go:embed failure.html
var failureHTML string

var failurePage = template.Must(template.New("failure").Parse(failureHTML))

// fields returns the header of an answer that guise gives itself; Proxy-Status (RFC 9209)
// names the error, if any. A page in a browser may have asked for it, and must not learn
// by it that there is a proxy.
func (f failure) fields() http.Header {
	h := make(http.Header, 6)
	h["Cache-Control"] = []string{"no-store"}
	h["X-Content-Type-Options"] = []string{"nosniff"}
	if f.status/100 != 3 { // a redirection is the site's own wish, and to be followed
		console.ForOwnPages(h)
	}
	if f.kind != "" {
		h["Proxy-Status"] = []string{"guise;error=" + f.kind}
	}
	maps.Copy(h, f.header)
	return h
}

// response makes the failure an answer to r: a page for browsers, else a line
// of text. It holds nothing but what the failure says.
func (f failure) response(r *http.Request, wantsHTML bool) *http.Response {
	h := f.fields()
	var body []byte
	switch {
	case f.title == "": // 204
	case wantsHTML:
		h.Set("Content-Type", "text/html; charset=utf-8")
		h.Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'")
		var page bytes.Buffer
		if err := failurePage.Execute(&page, struct {
			Status        int
			Title, Detail string
		}{f.status, f.title, f.detail}); err != nil {
			page.WriteString(f.title)
		}
		body = page.Bytes()
	default:
		h.Set("Content-Type", "text/plain; charset=utf-8")
		title := f.title
		if second := title[1]; second < 'A' || second > 'Z' { // TLS, SOCKS
			title = strings.ToLower(title[:1]) + title[1:]
		}
		body = []byte("guise: " + title + ": " + f.detail + "\n")
	}
	if f.status != http.StatusNoContent {
		h.Set("Content-Length", strconv.Itoa(len(body)))
	}
	resp := &http.Response{
		Status:        strconv.Itoa(f.status) + " " + http.StatusText(f.status),
		StatusCode:    f.status,
		Proto:         "HTTP/1.1",
		ProtoMajor:    1,
		ProtoMinor:    1,
		Header:        h,
		Body:          io.NopCloser(bytes.NewReader(body)),
		ContentLength: int64(len(body)),
		Request:       r,
	}
	if r.Method == http.MethodHead {
		resp.Body = http.NoBody
	}
	return resp
}

// write sends the failure on w, for answers that bypass the pipeline. Its status line
// says why: of a tunnel that does not open, most programs show nothing else.
func (f failure) write(w http.ResponseWriter, r *http.Request) {
	closeBody(r.Body) // what came of it would be held until the client takes the answer
	writeAnswer(w, f.response(r, wantsHTML(r)), f.title)
}

// writeAnswer writes an answer of guise's own on w.
func writeAnswer(w http.ResponseWriter, resp *http.Response, reason string) {
	maps.Copy(w.Header(), resp.Header)
	writeStatus(w, resp.StatusCode, reason)
	io.Copy(w, resp.Body)
}

// writeStatus is WriteHeader with a reason of its own, unless that is "". HTTP/2
// has none.
func writeStatus(w http.ResponseWriter, status int, reason string) {
	if writer, ok := w.(interface{ WriteStatus(int, string) }); ok {
		writer.WriteStatus(status, reason)
		return
	}
	w.WriteHeader(status)
}

// withdraw takes back what was written on w, if the client has seen nothing of it
// yet, and reports whether it could. HTTP/2 cannot: both ends count on each head.
func withdraw(w http.ResponseWriter) bool {
	writer, ok := w.(interface{ Withdraw() bool })
	return ok && writer.Withdraw()
}

// wantsHTML reports whether a person will look at the answer to r.
func wantsHTML(r *http.Request) bool {
	return slices.ContainsFunc(r.Header["Accept"], func(accept string) bool { return strings.Contains(accept, "text/html") })
}
