package gate

import (
	"context"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"math/big"
	"slices"
	"time"
)

// certificates proves accounts by TLS client certificates. That the client
// has the key was shown in the handshake; who signed is checked here.
//
// To verify a chain may cost more than the handshake: a stranger can show many
// certificates that might have signed the first, each of which is tried. So a chain is
// verified once, and not at all if it is too long; and all verifications at a time have
// a part of the processors.
type certificates struct {
	authorities *watchedFile[*authorities]
	revoked     *watchedFile[map[string]bool] // nil for none
	memory      *memory
	now         func() time.Time
	checking    chan struct{} // has one token for each check that runs
}

// Bounds on the client's certificate with its intermediates, of which there mostly are
// none to three.
const (
	longestChain = 8        // certificates
	largestChain = 64 << 10 // octets: each request has them hashed
)

type authorities struct {
	pool *x509.CertPool
	sum  [sha256.Size]byte // of their file
}

func newCertificates(path, revoked string, m *memory, common watching) (*certificates, error) {
	named := func(err error) error { return fmt.Errorf("authorities %s: %w", path, err) }
	file, err := newWatchedFile(path, common, named, func(data []byte) (*authorities, error) {
		a := &authorities{x509.NewCertPool(), sha256.Sum256(data)}
		if !a.pool.AppendCertsFromPEM(data) {
			return nil, errors.New("holds no certificate in PEM form")
		}
		return a, nil
	})
	if err != nil {
		return nil, err
	}
	p := &certificates{file, nil, m, common.now, make(chan struct{}, HalfProcessors)}
	p.revoked, err = watchRevoked(revoked, "certificates", common, parseRevokedSerials)
	return p, err
}

func (p *certificates) digest(c credentials) [32]byte {
	parts := [][]byte{p.authorities.get().sum[:]}
	for _, certificate := range c.chain {
		parts = append(parts, certificate.Raw)
	}
	return p.memory.digest(parts...)
}

// known lets in every certificate that verifies: nobody guesses its key.
func (p *certificates) known(c credentials) (account string, ok, familiar bool) {
	name, err := p.account(context.Background(), c)
	return name, err == nil, false
}

func (p *certificates) account(_ context.Context, c credentials) (string, error) {
	size := 0
	for _, certificate := range c.chain {
		size += len(certificate.Raw)
	}
	if size == 0 || size > largestChain || len(c.chain) > longestChain {
		return "", ErrCredentials
	}
	digest := p.digest(c)
	right, wrong := p.memory.judged(digest, p.now())
	if !right && !wrong {
		right = p.check(c.chain, digest)
	}
	if !right {
		return "", ErrCredentials
	}
	name := certificateName(c.chain[0])
	if gone := p.revoked.get(); len(gone) > 0 && (gone[name] || gone[serialName(c.chain[0].SerialNumber)]) {
		return "", ErrCredentials
	}
	return name, nil
}

// check reports whether one of the authorities signed the first of chain, and
// remembers it.
func (p *certificates) check(chain []*x509.Certificate, digest [32]byte) bool {
	p.checking <- struct{}{}
	defer func() { <-p.checking }()
	now := p.now()
	if right, wrong := p.memory.judged(digest, now); right || wrong {
		return right // another request on the same connection was faster
	}
	between := x509.NewCertPool()
	for _, certificate := range chain[1:] {
		between.AddCert(certificate)
	}
	_, err := chain[0].Verify(x509.VerifyOptions{
		Roots:         p.authorities.get().pool,
		Intermediates: between,
		CurrentTime:   now,
		KeyUsages:     []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	})
	if err != nil {
		p.memory.reject(digest, now)
		return false
	}
	p.memory.add(digest, now, chain[0].NotAfter)
	return true
}

// certificateName is the account of a certificate: its common name, else its
// first other name, else its serial number.
func certificateName(c *x509.Certificate) string {
	names := slices.Concat([]string{c.Subject.CommonName}, c.EmailAddresses, c.DNSNames)
	if i := slices.IndexFunc(names, validName); i >= 0 {
		return names[i]
	}
	return serialName(c.SerialNumber)
}

func serialName(serial *big.Int) string { return "serial " + hex.EncodeToString(serial.Bytes()) }
