package proxy

import (
	"fmt"
	"net/http"
	"net/netip"

	"guise/proxy/console"
	"guise/proxy/inspect"
)

// certificateTypes are the forms in which browsers and systems import the
// authority's certificate, by the path of the proxy's own page.
var certificateTypes = map[string]struct {
	contentType string
	bytes       func(*inspect.Authority) []byte
}{
	"/ca.pem":          {"application/x-pem-file", (*inspect.Authority).PEM},
	"/ca.der":          {"application/x-x509-ca-cert", (*inspect.Authority).DER},
	"/ca.mobileconfig": {"application/x-apple-aspen-config", (*inspect.Authority).MobileConfig},
}

// page answers the proxy's own pages about inspection: the certificate that browsers
// import and, on this machine alone, how often inspection worked. It returns false for
// all other pages.
func (i *inspection) page(w http.ResponseWriter, r *http.Request) bool {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		return false
	}
	form, certificate := certificateTypes[r.URL.Path]
	if !certificate && (i.authority == nil || r.URL.Path != "/inspection" || !onThisMachine(r)) {
		return false // the counts tell when others come
	}
	switch {
	case console.MayBeLedHere(r): // the certificate identifies this proxy, and so its users
		byAddress.write(w, r)
		return true
	case i.authority == nil:
		nothingToTrust.write(w, r)
		return true
	}
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	if certificate {
		w.Header().Set("Content-Type", form.contentType)
		w.Write(form.bytes(i.authority))
		return true
	}
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	counts := i.memory.Counts()
	fmt.Fprintf(w, "%8d connections inspected\n", counts.Inspected)
	counts.Each(func(why inspect.Reason, count uint64) {
		fmt.Fprintf(w, "%8d left as tunnels: %s\n", count, why)
	})
	return true
}

// onThisMachine reports whether the client of r is on this machine.
func onThisMachine(r *http.Request) bool {
	remote, err := netip.ParseAddrPort(r.RemoteAddr)
	from := remote.Addr().Unmap()
	return err == nil && (from.IsLoopback() || from == connectionOf(r.Context()).local.Addr().Unmap())
}
