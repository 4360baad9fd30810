package inspect

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"text/template"
	"time"

	"guise/proxy/owner"
)

// The files of an authority in its folder.
const (
	CertificateFile = "ca.pem"
	KeyFile         = "ca-key.pem"
)

// Save writes the authority's two files into folder, which is made if it is not there. It
// fails where one exists: an authority that browsers trust would be lost.
func (a *Authority) Save(folder string) error {
	der, err := x509.MarshalPKCS8PrivateKey(a.key)
	if err != nil {
		return err
	}
	if err := owner.MakeFolder(folder); err != nil {
		return err
	}
	key := pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})
	if err := owner.WriteNew(filepath.Join(folder, KeyFile), key, 0o600); err != nil {
		return err
	}
	if err := owner.WriteNew(filepath.Join(folder, CertificateFile), a.PEM(), 0o644); err != nil {
		return errors.Join(err, os.Remove(filepath.Join(folder, KeyFile)))
	}
	return nil
}

// Load reads the authority in folder. It fails with [fs.ErrNotExist] if there is none,
// and refuses a key that others may read and what browsers would not accept.
func Load(folder string) (*Authority, error) {
	certificate, err := loadCertificate(filepath.Join(folder, CertificateFile))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("certificate authority in %s: %w; guise ca init makes one", folder, fs.ErrNotExist)
	}
	if err != nil {
		return nil, err
	}
	key, err := loadKey(filepath.Join(folder, KeyFile))
	if err != nil {
		return nil, err
	}
	if err := usable(certificate, key, time.Now()); err != nil {
		return nil, fmt.Errorf("%s: %w", filepath.Join(folder, CertificateFile), err)
	}
	return newAuthority(certificate, key, time.Now)
}

func loadCertificate(file string) (*x509.Certificate, error) {
	data, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	block, _ := pem.Decode(data)
	if block == nil || block.Type != "CERTIFICATE" {
		return nil, fmt.Errorf("%s: no PEM certificate in it", file)
	}
	c, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	return c, nil
}

func loadKey(file string) (*ecdsa.PrivateKey, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat() // of what is read, not of what the name means next
	if err != nil {
		return nil, err
	}
	if mode := info.Mode().Perm(); mode&0o077 != 0 && runtime.GOOS != "windows" {
		return nil, fmt.Errorf("%s can be read by others (mode %04o): whoever has this key can pose as any site to every browser that trusts it; if nobody has seen it, chmod 600 it, else make a new one", file, mode)
	}
	var data bytes.Buffer
	if _, err := data.ReadFrom(f); err != nil {
		return nil, err
	}
	block, rest := pem.Decode(data.Bytes())
	for block != nil && block.Type == "EC PARAMETERS" { // openssl ecparam writes them before the key
		block, rest = pem.Decode(rest)
	}
	if block == nil {
		return nil, fmt.Errorf("%s: no PEM key in it", file)
	}
	if key, err := x509.ParseECPrivateKey(block.Bytes); err == nil {
		return key, nil
	}
	parsed, _ := x509.ParsePKCS8PrivateKey(block.Bytes)
	key, ok := parsed.(*ecdsa.PrivateKey)
	if !ok { // RSA, mostly, or with a passphrase: what is made for other proxies
		return nil, fmt.Errorf("%s: the key is not an ECDSA key without a passphrase; with both files moved away, guise ca init makes one", file)
	}
	return key, nil
}

// PEM returns the certificate in the form for most systems and Firefox.
func (a *Authority) PEM() []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: a.certificate.Raw})
}

// DER returns the certificate in the form for Windows and Android.
func (a *Authority) DER() []byte { return bytes.Clone(a.certificate.Raw) }

// Fingerprint returns the certificate's SHA-256 as browsers show it:
// "AB:CD:...".
func (a *Authority) Fingerprint() string {
	sum := sha256.Sum256(a.certificate.Raw)
	return strings.ReplaceAll(fmt.Sprintf("% X", sum), " ", ":")
}

// MobileConfig returns the certificate as a configuration profile for iOS and
// macOS (Apple, "Configuration Profile Reference", payload
// com.apple.security.root).
func (a *Authority) MobileConfig() []byte {
	sum := sha256.Sum256(a.certificate.Raw)
	var b bytes.Buffer
	err := mobileConfig.Execute(&b, map[string]string{
		"Name":  a.certificate.Subject.CommonName,
		"DER":   base64.StdEncoding.EncodeToString(a.certificate.Raw),
		"Outer": uuid(sum[:16]),
		"Inner": uuid(sum[16:]),
	})
	if err != nil {
		panic(err) // the template is constant, and a buffer takes all
	}
	return b.Bytes()
}

// uuid writes 16 bytes as a UUID of version 8 (RFC 9562 §5.8). The same
// certificate always has the same, so that installing it again replaces it.
func uuid(b []byte) string {
	var u [16]byte
	copy(u[:], b)
	u[6], u[8] = u[6]&0x0f|0x80, u[8]&0x3f|0x80
	return fmt.Sprintf("%X-%X-%X-%X-%X", u[:4], u[4:6], u[6:8], u[8:10], u[10:])
}

var mobileConfig = template.Must(template.New("mobileconfig").Parse(`<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE plist PUBLIC "-//Apple//DTD PLIST 1.0//EN" "http://www.apple.com/DTDs/PropertyList-1.0.dtd">
<plist version="1.0">
<dict>
	<key>PayloadType</key><string>Configuration</string>
	<key>PayloadVersion</key><integer>1</integer>
	<key>PayloadIdentifier</key><string>guise.inspection.{{.Outer}}</string>
	<key>PayloadUUID</key><string>{{.Outer}}</string>
	<key>PayloadDisplayName</key><string>{{html .Name}}</string>
	<key>PayloadDescription</key><string>Lets guise read the HTTPS traffic of this device.</string>
	<key>PayloadContent</key>
	<array>
		<dict>
			<key>PayloadType</key><string>com.apple.security.root</string>
			<key>PayloadVersion</key><integer>1</integer>
			<key>PayloadIdentifier</key><string>guise.inspection.{{.Inner}}</string>
			<key>PayloadUUID</key><string>{{.Inner}}</string>
			<key>PayloadDisplayName</key><string>{{html .Name}}</string>
			<key>PayloadContent</key><data>{{.DER}}</data>
		</dict>
	</array>
</dict>
</plist>
`))
