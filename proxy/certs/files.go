package certs

import (
	"bytes"
	"crypto/tls"
	"fmt"
	"os"
	"sync"
	"time"

	"guise/proxy/fault"
)

// lookEvery is how often the files are looked at, at most.
const lookEvery = time.Second

// A Pair is a certificate chain and its key in two PEM files. It is safe for
// concurrent use.
type Pair struct {
	Unread func(error) // is told why files that have changed cannot be used; nil for nobody

	certFile, keyFile string
	now               func() time.Time

	mu      sync.Mutex
	current *tls.Certificate
	stamps  [2]os.FileInfo // of the files that current is from
	looked  time.Time      // when the files were looked at last
	fault   fault.Lasting  // what those looks found
}

// Files returns the pair in two PEM files. They are read again when they
// change; while they do not fit each other, as between two writes, the last
// that did is used.
func Files(certFile, keyFile string) (*Pair, error) {
	p := &Pair{certFile: certFile, keyFile: keyFile, now: time.Now}
	if err := p.load(); err != nil {
		return nil, err
	}
	return p, nil
}

// Certificate implements [Source].
func (p *Pair) Certificate(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if now := p.now(); now.Sub(p.looked) >= lookEvery {
		p.looked = now
		p.fault.Found(p.refresh(), p.Unread) // after an error, current stays
	}
	return p.current, nil
}

// refresh loads the files if they have changed; p.mu is held.
func (p *Pair) refresh() error {
	stamps, err := p.look()
	if err != nil {
		return fmt.Errorf("load certificate: %w", err)
	}
	if changed(stamps[0], p.stamps[0]) || changed(stamps[1], p.stamps[1]) {
		return p.load()
	}
	return nil
}

// Ends returns when the certificate that was read last expires.
func (p *Pair) Ends() time.Time {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.current.Leaf.NotAfter
}

// Names reports whether the certificate that was read last is for host, a name or an
// address.
func (p *Pair) Names(host string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.current.Leaf.VerifyHostname(host) == nil
}

// changed tells one content of a file from another without reading it.
func changed(a, b os.FileInfo) bool {
	return !os.SameFile(a, b) || a.Size() != b.Size() || !a.ModTime().Equal(b.ModTime())
}

func (p *Pair) look() (stamps [2]os.FileInfo, err error) {
	for i, file := range []string{p.certFile, p.keyFile} {
		info, err := os.Stat(file)
		if err != nil {
			return stamps, err
		}
		stamps[i] = info
	}
	return stamps, nil
}

func (p *Pair) load() error {
	stamps, err := p.look() // before reading: a later change will be seen
	if err != nil {
		return fmt.Errorf("load certificate: %w", err)
	}
	c, err := tls.LoadX509KeyPair(p.certFile, p.keyFile)
	switch {
	case err != nil && isEncrypted(p.keyFile):
		return fmt.Errorf("load certificate: %s is encrypted, and nobody is there to ask for its passphrase; openssl pkey -in %[1]s -out NEW.key leaves it out", p.keyFile)
	case err != nil:
		return fmt.Errorf("load certificate: %w", err)
	}
	p.current, p.stamps = &c, stamps
	return nil
}

// isEncrypted reports whether file holds a key that is encrypted by a passphrase, in one of
// the forms that OpenSSL writes (RFC 5958 §3, RFC 1421 §4.6).
func isEncrypted(file string) bool {
	text, err := os.ReadFile(file)
	return err == nil && (bytes.Contains(text, []byte("-----BEGIN ENCRYPTED PRIVATE KEY-----")) || bytes.Contains(text, []byte("\nProc-Type: 4,ENCRYPTED")))
}
