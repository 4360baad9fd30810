package gate

import (
	"context"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"time"
)

// certificates proves accounts by TLS client certificates. That the client
// has the key was shown in the handshake; who signed is checked here.
type certificates struct {
	authorities *watchedFile[*authorities]
	memory      *memory
	now         func() time.Time
}

type authorities struct {
	pool *x509.CertPool
	data []byte
}

func newCertificates(path string, m *memory, now func() time.Time) (*certificates, error) {
	if path == "" {
		return nil, errors.New("certificate authentication needs a file of authorities")
	}
	file, err := newWatchedFile(path, now, func(data []byte) (*authorities, error) {
		a := &authorities{x509.NewCertPool(), data}
		if !a.pool.AppendCertsFromPEM(data) {
			return nil, errors.New("holds no certificate in PEM form")
		}
		return a, nil
	})
	if err != nil {
		return nil, fmt.Errorf("authorities %s: %w", path, err)
	}
	return &certificates{file, m, now}, nil
}

func (p *certificates) digest(c credentials) [32]byte {
	parts := [][]byte{p.authorities.get().data}
	for _, certificate := range c.chain {
		parts = append(parts, certificate.Raw)
	}
	return p.memory.digest(parts...)
}

// known lets every right certificate in: nobody guesses its key, and the
// handshake before cost more than to check it.
func (p *certificates) known(c credentials) (account string, ok, familiar bool) {
	if len(c.chain) > 0 && p.memory.has(p.digest(c), p.now()) {
		return certificateName(c.chain[0]), true, false
	}
	name, err := p.account(context.Background(), c)
	return name, err == nil, false
}

func (p *certificates) account(_ context.Context, c credentials) (string, error) {
	if len(c.chain) == 0 {
		return "", ErrCredentials
	}
	now := p.now()
	between := x509.NewCertPool()
	for _, certificate := range c.chain[1:] {
		between.AddCert(certificate)
	}
	_, err := c.chain[0].Verify(x509.VerifyOptions{
		Roots:         p.authorities.get().pool,
		Intermediates: between,
		CurrentTime:   now,
		KeyUsages:     []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	})
	if err != nil {
		return "", ErrCredentials
	}
	p.memory.add(p.digest(c), now, c.chain[0].NotAfter)
	return certificateName(c.chain[0]), nil
}

// certificateName is the account of a certificate: its common name, else its
// first other name, else its serial number.
func certificateName(c *x509.Certificate) string {
	names := append([]string{c.Subject.CommonName}, c.EmailAddresses...)
	for _, name := range append(names, c.DNSNames...) {
		if validName(name) {
			return name
		}
	}
	return "serial " + hex.EncodeToString(c.SerialNumber.Bytes())
}
