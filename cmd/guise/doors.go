package main

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"guise/config"
	"guise/proxy"
	"guise/proxy/certs"
)

// A door is how a listener serves its clients, with what has to be closed after it.
type door struct {
	how   proxy.Listening
	close func()
}

var protocols = map[config.Protocol]proxy.Protocol{
	config.HTTP:   proxy.HTTP,
	config.HTTPS:  proxy.HTTPS,
	config.SOCKS5: proxy.SOCKS5,
}

// newDoor makes what the listener l needs at the address at. What a person
// must know of its certificate goes to out.
func newDoor(l config.Listener, at config.Address, out io.Writer) (*door, error) {
	d := &door{how: proxy.Listening{Protocol: protocols[l.Protocol], Relays: l.Relays}, close: func() {}}
	if l.Protocol != config.HTTPS {
		return d, nil
	}
	var source certs.Source
	var err error
	switch {
	case len(l.ACME.Domains) > 0:
		var issued *certs.Issued
		if issued, err = issue(l.ACME, at, out); err != nil {
			return nil, fmt.Errorf("listener %s: acme: %w", l.Address, err)
		}
		d.close = func() { issued.Close() }
		d.how.TLS = certs.Config(issued, certs.ACMEProtocol)
		return d, nil
	case l.SelfSigned:
		source, err = selfSigned(l, at, out)
	default:
		source, err = certs.Files(l.Certificate, l.Key)
	}
	if err != nil {
		return nil, fmt.Errorf("listener %s: certificate: %w", l.Address, err)
	}
	if pair, kept := source.(*certs.Pair); kept {
		announceEnd(out, l, pair.Ends(), time.Now())
		if others := missedBy(pair, l, at); len(others) > 0 {
			fmt.Fprintf(out, "guise: clients refuse the certificate in %s at %v: it names other addresses; move it and its key away, and a start makes another\n", l.Certificate, others[0])
		}
		pair.Unread = func(err error) {
			fmt.Fprintf(out, "guise: listener %s: %v; the certificate of before stays\n", l.Address, err)
		}
	}
	d.how.TLS = certs.Config(source)
	return d, nil
}

// endIsNear is how long before its end a certificate is worth a word.
const endIsNear = 14 * 24 * time.Hour

// announceEnd says that clients will refuse l's certificate, or do already: they do not
// tell guise.
func announceEnd(out io.Writer, l config.Listener, end, now time.Time) {
	if end.Sub(now) > endIsNear {
		return
	}
	what := "put a new one in its place"
	if l.SelfSigned {
		what = "move it and its key away, and a start makes another"
	}
	fmt.Fprintf(out, "guise: clients refuse the certificate in %s from %s on; %s\n", l.Certificate, end.UTC().Format(time.DateOnly), what)
}

// missedBy returns the addresses by which clients reach l, which listens at at, if the
// self-signed certificate that it has kept names none of them: it was made for another
// listener, or the machine has moved. Else it returns nil.
func missedBy(kept *certs.Pair, l config.Listener, at config.Address) []netip.Addr {
	others := addressesOf(at)
	if !l.SelfSigned || slices.ContainsFunc(others, func(ip netip.Addr) bool { return kept.Names(ip.String()) }) {
		return nil
	}
	return others
}

// checkDoor returns the error that newDoor would, without making anything.
func checkDoor(l config.Listener) error {
	if l.Protocol != config.HTTPS || l.Certificate == "" {
		return nil
	}
	_, noCert := os.Stat(l.Certificate)
	_, noKey := os.Stat(l.Key)
	if l.SelfSigned && noCert != nil && noKey != nil { // both will be made
		if filepath.Clean(l.Certificate) == filepath.Clean(l.Key) {
			return errors.New("make certificate: certificate and key are to be two files")
		}
		for _, file := range []string{l.Certificate, l.Key} {
			if _, err := os.Stat(filepath.Dir(file)); err != nil {
				return fmt.Errorf("make certificate: %w", err)
			}
		}
		return nil
	}
	_, err := certs.Files(l.Certificate, l.Key)
	return err
}

// selfSigned makes a certificate for at, or uses the one that is kept.
func selfSigned(l config.Listener, at config.Address, out io.Writer) (certs.Source, error) {
	names := namesOf(at)
	if l.Certificate == "" {
		made, err := certs.SelfSigned(names...)
		if err == nil {
			fmt.Fprintf(out, "guise: %s has a self-signed certificate, until it ends; its SHA-256 fingerprint is\n  %s\n", at, made.Fingerprint())
		}
		return made, err
	}
	pair, fingerprint, err := certs.KeptSelfSigned(l.Certificate, l.Key, names...)
	if err == nil && fingerprint != "" {
		fmt.Fprintf(out, "guise: a self-signed certificate for %s was made in %s; its SHA-256 fingerprint is\n  %s\n", at, l.Certificate, fingerprint)
	}
	return pair, err
}

// namesOf are the names and addresses by which clients may reach at.
func namesOf(at config.Address) []string {
	var names []string
	if host, err := os.Hostname(); err == nil && everywhere(at) {
		var name config.Domain
		if name.UnmarshalText([]byte(host)) == nil {
			names = append(names, string(name))
		}
	}
	for _, ip := range addressesOf(at) {
		names = append(names, ip.String())
	}
	return names
}

// addressesOf returns the address of at or, if it is at all, those by which other
// machines may reach this one.
func addressesOf(at config.Address) []netip.Addr {
	if !everywhere(at) {
		return []netip.Addr{at.IP}
	}
	return slices.DeleteFunc(ownAddresses(), func(ip netip.Addr) bool {
		return ip.IsLoopback() || ip.IsLinkLocalUnicast()
	})
}

// everywhere reports whether at is at all addresses of this machine.
func everywhere(at config.Address) bool { return !at.IP.IsValid() || at.IP.IsUnspecified() }

// issue begins to obtain certificates from an authority.
func issue(a config.ACME, at config.Address, out io.Writer) (*certs.Issued, error) {
	o := certs.ACMEOptions{
		Email:     a.Email,
		Directory: string(a.Directory),
		Storage:   cmp.Or(a.Storage, settingsFolder("acme")),
		HTTPPort:  a.HTTPPort,
		TLSPort:   int(at.Port),
	}
	for _, domain := range a.Domains {
		o.Domains = append(o.Domains, string(domain))
	}
	if at.IP.IsValid() && !at.IP.IsUnspecified() {
		o.Host = at.IP.String()
	}
	var one sync.Mutex
	o.Told = func(domain string, err error) {
		one.Lock()
		defer one.Unlock()
		if err != nil {
			fmt.Fprintf(out, "guise: %s gets no new certificate yet: %v\n", domain, err)
			return
		}
		fmt.Fprintf(out, "guise: %s has a new certificate\n", domain)
	}
	return certs.Issue(o)
}
