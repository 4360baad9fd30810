package proxy

import (
	"errors"
	"hash/maphash"
	"math/rand/v2"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"guise/cache"
	"guise/filters"
	"guise/proxy/egress"
	"guise/proxy/gate"
	"guise/proxy/wire"
)

// maxForwards is the most hops that an OPTIONS request may still take: an
// odd count would tell clients apart (RFC 9110 §7.6.2 lets a proxy lower it).
const maxForwards = 8

// canonicalize gives the destination its one form, which is checked, keyed
// and dialled. The target's authority is what Host says (RFC 9112 §3.2.2).
func canonicalize(e *exchange, r *http.Request) (*http.Request, *failure) {
	port, ok := defaultPort(r.URL.Scheme)
	if !ok {
		return r, &otherScheme
	}
	target, err := e.visit.connection.target(r.URL.Host, port)
	if err != nil {
		return r, &badTarget
	}
	e.target = target
	var room [64]byte
	if host := target.AppendHostHeader(room[:0], port); string(host) != r.URL.Host {
		r.URL.Host = string(host)
	}
	r.Host = r.URL.Host
	return r, nil
}

func defaultPort(scheme string) (port uint16, ok bool) {
	switch scheme {
	case "http":
		return 80, true
	case "https":
		return 443, true
	}
	return 0, false
}

// refuseDestination answers at once what the guard would refuse at the dial,
// and keeps a stored response from a host that is closed by now.
func (a *assembly) refuseDestination(e *exchange, r *http.Request) (*http.Request, *failure) {
	use := egress.Plain
	if r.URL.Scheme == "https" {
		use = egress.Connect
	}
	if err := a.egress.Allow(use, e.target); err != nil {
		f := failureOf(err)
		return r, &f
	}
	return r, nil
}

// keepSecure sends http requests to https where the host wants nothing else,
// as browsers do by themselves for hosts whose wish they know (RFC 6797 §8.3).
func (a *assembly) keepSecure(e *exchange, r *http.Request) (*http.Request, *failure) {
	if r.URL.Scheme != "http" || e.target.Port != 80 || len(r.Header["Upgrade"]) > 0 || !a.inspects.hsts.Applies(e.visit.Isolation, e.target.Host) {
		return r, nil
	}
	u := *r.URL
	u.Scheme, u.User = "https", nil
	h := http.Header{"Location": {u.String()}, "Non-Authoritative-Reason": {"HSTS"}}
	// Pages elsewhere may be led on as well, as browsers lead them: what they may read there,
	// the site says itself (Fetch standard, CORS check).
	if origin := r.Header["Origin"]; len(origin) == 1 {
		h["Access-Control-Allow-Origin"], h["Access-Control-Allow-Credentials"] = origin, []string{"true"}
	}
	return r, &failure{
		status: http.StatusTemporaryRedirect,
		title:  "Secure only",
		detail: "This site wants to be visited by https only.",
		header: h,
	}
}

// countHops answers OPTIONS that may go no further, and counts this hop
// (RFC 9110 §7.6.2).
func countHops(_ *exchange, r *http.Request) (*http.Request, *failure) {
	values := r.Header["Max-Forwards"]
	if len(values) == 0 {
		return r, nil
	}
	delete(r.Header, "Max-Forwards")
	if r.Method != http.MethodOptions {
		return r, nil
	}
	left, err := strconv.ParseUint(values[0], 10, 64)
	if err != nil && !errors.Is(err, strconv.ErrRange) || len(values) > 1 {
		return r, &badRequest
	}
	if left == 0 {
		return r, &ownOptions
	}
	r.Header["Max-Forwards"] = []string{strconv.FormatUint(min(left-1, maxForwards), 10)}
	return r, nil
}

// keepProof keeps from the origin what lets the client in here.
func keepProof(e *exchange, r *http.Request) (*http.Request, *failure) {
	echoes := func(sent string) bool { return gate.Echoes(e.visit.authorization, r.Method, sent) }
	if slices.ContainsFunc(r.Header["Authorization"], echoes) {
		delete(r.Header, "Authorization")
	}
	return r, nil
}

// scrub hides the client. It notes first what later steps need to know of
// the request as it was.
func (a *assembly) scrub(e *exchange, r *http.Request) (*http.Request, *failure) {
	log := explanations.Get().(*[]filters.Change)
	e.message, *log = a.filters.Scrub(&e.visit.connection.recent, r, e.visit.Address, *log)
	recycle(log)
	e.order = a.filters.FieldOrder(&e.message)
	r = e.message.Request
	if r.Trailer != nil {
		a.scrubTrailers(e, r)
	}
	return r, nil
}

// withholdReport refuses what browsers report on their own: real names of the browser and
// of pages, in content that no filter reads. Sites told browsers to before these used
// guise, or inside tunnels: guise takes such orders out of responses. A 410 has browsers
// forget the endpoint (W3C Reporting API §3.5.2).
func withholdReport(e *exchange, r *http.Request) (*http.Request, *failure) {
	if e.message.Visit.Report {
		return r, &reported
	}
	return r, nil
}

// scrubTrailers lets only trailers pass that serve the message. Their names
// are known now, their values at the body's end.
func (a *assembly) scrubTrailers(e *exchange, r *http.Request) {
	announced, m := r.Trailer, &e.message
	r.Trailer = make(http.Header, len(announced))
	for name := range announced {
		r.Trailer[name] = nil
	}
	a.filters.Trailer(m, r.Trailer, nil)
	passed := r.Trailer
	r.Body = &trailerBody{ReadCloser: r.Body, atEnd: func() {
		a.filters.Trailer(m, announced, nil)
		for name := range passed {
			passed[name] = announced[name]
		}
	}}
}

// nameVisitor tells the cache and the wire for whom and in which form the
// request goes out.
func (a *assembly) nameVisitor(e *exchange, r *http.Request) (*http.Request, *failure) {
	e.visitor = cache.Visitor{
		Client: e.visit.connection.nameOf(e.visit.Entrant), Site: e.message.Visit.Site, Adrift: e.message.Visit.Adrift(), Part: e.message.Visit.OfPage(),
		Personal: e.message.Visit.Personal, Alone: a.nesting != nil,
	}
	apart := e.visit.Isolation
	sharing := apart
	// An owner is told apart by the client's connection, not its address, which another
	// may have a moment later; and by site and client, too: a third party would know its
	// visitor again on another site, and a proxy may send several users on one connection.
	switch o := (owner{e.visit.connection.number, e.visitor.Client, e.message.Visit.Site}); {
	case authenticatesConnection(r.Header):
		sharing += "\x00" + strconv.FormatUint(o.connection, 10) + " " + o.site + " " + o.client // no user's name has a NUL
	case r.Body == nil || r.Body == http.NoBody:
	case e.visitor.Adrift: // what comes next may be from a page of another site
		e.owner = rand.Uint64()
	default:
		e.owner = maphash.Comparable(ownerSeed, o)
	}
	if sharing == "" {
		return r, nil
	}
	if apart != "" {
		e.visitor.Site = apart + " " + e.visitor.Site // no host has a blank
	}
	ctx := egress.WithIsolation(r.Context(), apart)
	return r.WithContext(wire.WithIsolation(ctx, sharing)), nil
}

// An owner is who sends content, or credentials for a whole connection: a client, on
// one connection, from pages of one site.
type owner struct {
	connection   uint64
	client, site string
}

var ownerSeed = maphash.MakeSeed()

// authenticatesConnection reports whether the request's credentials hold for
// the whole connection to the origin, against RFC 9110 §11.7 (RFC 4559 §6):
// what comes after them on that connection is taken for the same person's, so
// it must come from the same client's connection.
func authenticatesConnection(h http.Header) bool {
	return slices.ContainsFunc(h["Authorization"], func(credentials string) bool {
		scheme, _, _ := strings.Cut(credentials, " ")
		return strings.EqualFold(scheme, "NTLM") || strings.EqualFold(scheme, "Negotiate")
	})
}
