package config

import (
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
)

// A Hop is one proxy that requests go through: http://HOST:PORT, https://HOST:PORT
// or socks5://HOST:PORT, with user:password@ before the host if it wants one.
type Hop struct{ url.URL }

const writeHop = "write http://HOST:PORT, https://HOST:PORT or socks5://HOST:PORT"

// UnmarshalText accepts a hop's URL. Its errors hold nothing of the text,
// which may hold a password.
func (h *Hop) UnmarshalText(text []byte) error {
	u, err := url.Parse(string(text))
	broken := err != nil || u.Scheme == "" || u.Host == ""
	if err != nil && strings.HasSuffix(err.Error(), "invalid userinfo") { // url has no type for it
		return errors.New("not a proxy URL; in its user and password write all but letters, digits and -._~ as % and two hexadecimal digits, such as a space as %20")
	}
	if strings.Contains(string(text), "@") && (broken || u.User == nil) { // a / ? or # in the password ended the host
		return errors.New("not a proxy URL; write http://USER:PASSWORD@HOST:PORT, and in those two # as %23, / as %2F, ? as %3F, % as %25, a comma as %2C")
	}
	if broken {
		return errors.New("not a proxy URL; " + writeHop)
	}
	switch u.Scheme {
	case "http", "https", "socks5", "socks5h":
	default:
		return fmt.Errorf("scheme %s is not one of http, https, socks5", quote(u.Scheme))
	}
	if u.Hostname() == "" {
		return errors.New("names no host; " + writeHop)
	}
	var host Pattern
	if err := host.UnmarshalText([]byte(u.Hostname())); err != nil || strings.HasPrefix(string(host), "*") {
		return errors.New("what it names is not a host")
	}
	if u.Port() == "" {
		return errors.New("names no port; " + writeHop)
	}
	if _, err := ParsePort(u.Port()); err != nil {
		return errors.New("what it names is not a port (1 to 65535)")
	}
	if (u.Path != "" && u.Path != "/") || u.RawQuery != "" || u.ForceQuery || u.Fragment != "" {
		return errors.New("a proxy URL ends with its port")
	}
	password, _ := u.User.Password()
	if name := u.User.Username(); strings.HasPrefix(u.Scheme, "socks") && u.User != nil && (name == "" || len(name) > 255 || password == "" || len(password) > 255) {
		return errors.New("user and password of a SOCKS proxy have 1 to 255 octets each") // RFC 1929 §2
	}
	u.Path = ""
	*h = Hop{*u}
	return nil
}

// leadsTo reports whether h is, for all that its text shows, the listener at a.
func (h Hop) leadsTo(a Address) bool {
	ip, err := netip.ParseAddr(h.Hostname())
	if h.Hostname() == "localhost" {
		ip, err = netip.AddrFrom4([4]byte{127, 0, 0, 1}), nil
	}
	return err == nil && h.Port() == strconv.Itoa(int(a.Port)) && (ip.Unmap() == a.IP || ip.IsLoopback() && a.covers(ip.Unmap()))
}

// An HTTPSURL is an https URL, or an http URL of this machine.
type HTTPSURL string

// UnmarshalText accepts https://HOST/PATH.
func (u *HTTPSURL) UnmarshalText(text []byte) error {
	parsed, err := url.Parse(string(text))
	if err != nil || parsed.Hostname() == "" || parsed.User != nil {
		return fmt.Errorf("%s is not a URL; write one as https://HOST/PATH", quote(string(text)))
	}
	ip, err := netip.ParseAddr(parsed.Hostname())
	if parsed.Scheme != "https" && (parsed.Scheme != "http" || err != nil || !ip.IsLoopback()) {
		return fmt.Errorf("%s is not an https URL", quote(string(text)))
	}
	if _, err := ParsePort(parsed.Port()); err != nil && parsed.Port() != "" {
		return err
	}
	*u = HTTPSURL(parsed.String())
	return nil
}
