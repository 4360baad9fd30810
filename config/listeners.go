package config

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
)

// listenerRules wants every listener to have an address of its own.
func (l *loader) listenerRules(listeners []Listener) {
	l.require(len(listeners) > 0, "listeners", "names no listener, so nothing would be served")
	nodes := l.items("listeners")
	for i, one := range listeners {
		path := fmt.Sprintf("listeners[%d]", i)
		if nodes[i].kind == table && nodes[i].get("address") == nil {
			l.refuse(path, "has no address")
		}
		for j, other := range listeners[:i] {
			if !one.Address.Overlaps(other.Address) {
				continue
			}
			where := ""
			if line := l.place(fmt.Sprintf("listeners[%d].address", j)).line; line > 0 {
				where = fmt.Sprintf(" on line %d", line)
			}
			l.refuse(path+".address", "%s overlaps %s%s", one.Address, other.Address, where)
			break
		}
	}
}

// doorRules checks what a listener says of its certificate and of relays against its
// protocol.
func (l *loader) doorRules(listeners []Listener) {
	for i, one := range listeners {
		refuse := func(key, what string) { l.refuse(fmt.Sprintf("listeners[%d].%s", i, key), "%s", what) }
		if one.Protocol == HTTPS {
			certificateRules(one, refuse)
		} else {
			for _, tls := range []struct {
				key string
				set bool
			}{
				{"certificate", one.Certificate != ""}, {"key", one.Key != ""},
				{"self_signed", one.SelfSigned}, {"acme", one.ACME.set()},
			} {
				if tls.set {
					refuse(tls.key, "changes nothing unless protocol is https")
				}
			}
		}
		switch {
		case one.ProxyProtocol && len(one.Relays) == 0:
			refuse("proxy_protocol", "needs relays, the networks of those that send PROXY headers")
		case !one.ProxyProtocol && len(one.Relays) > 0:
			refuse("relays", "changes nothing unless proxy_protocol is true")
		case !one.Address.IP.IsLoopback() && slices.ContainsFunc(one.Relays, everybody):
			refuse("relays", "takes in everybody, and whoever sends PROXY headers passes for any client; name the addresses of the relays")
		}
	}
}

// everybody reports whether p is too large, and too public, to be a network of relays.
func everybody(p netip.Prefix) bool { return p.Bits() < 8 && reachesStrangers(p) }

// set reports whether any key of ACME is set.
func (a ACME) set() bool {
	return len(a.Domains) > 0 || a.Email != "" || a.Directory != "" || a.Storage != "" || a.HTTPPort != 0
}

// isBare reports whether a name has no dot, and so is known on its own network alone. ""
// was refused already.
func isBare(d Domain) bool { return d != "" && !strings.Contains(string(d), ".") }

// certificateRules wants an https listener to have one source of a
// certificate.
func certificateRules(one Listener, refuse func(key, what string)) {
	files := one.Certificate != ""
	switch {
	case one.Certificate != "" && one.Key == "":
		refuse("certificate", "needs key, the PEM file of its key")
	case one.Certificate == "" && one.Key != "":
		refuse("key", "needs certificate, the PEM file that it is the key of")
	case one.ACME.set() && (files || one.SelfSigned):
		refuse("acme", "is one way to a certificate; leave out certificate, key and self_signed")
	case one.ACME.set() && len(one.ACME.Domains) == 0:
		refuse("acme", "needs domains, the names of this listener")
	case one.ACME.Directory == "" && slices.ContainsFunc(one.ACME.Domains, isBare):
		refuse("acme.domains", "has a name without a dot, which no public authority vouches for; another one is named by directory")
	case one.ACME.HTTPPort < 0 || one.ACME.HTTPPort > 65535:
		refuse("acme.http_port", "is not a port (1 to 65535)")
	case !files && !one.SelfSigned && !one.ACME.set():
		refuse("protocol", "https needs a certificate: certificate and key, or acme, or self_signed: true for trying out")
	}
}
