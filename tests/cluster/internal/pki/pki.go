// Package pki makes the certificates of a test bed: one CA for everything that serves or logs in, one for the
// aggregation layer's proxy, and the key that signs ServiceAccount tokens.
package pki

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"time"
)

// lifetime is longer than any bed lives.
const lifetime = 365 * 24 * time.Hour

// CA is a certificate authority whose files lie in Dir as NAME.crt and NAME.key.
type CA struct {
	// PEM is the CA's certificate.
	PEM  []byte
	dir  string
	cert *x509.Certificate
	key  crypto.Signer
}

// Subject is whom a certificate is for.
type Subject struct {
	// Name is the common name: the user for Kubernetes.
	Name string
	// Groups are the organizations: the user's groups.
	Groups []string
	// DNS and IPs are the names a server may be reached at.
	DNS []string
	IPs []net.IP
}

// NewCA creates a self-signed CA in dir.
func NewCA(dir, name string) (*CA, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	template, err := newTemplate(pkix.Name{CommonName: name})
	if err != nil {
		return nil, err
	}
	template.IsCA, template.BasicConstraintsValid = true, true
	template.KeyUsage = x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return nil, err
	}
	if _, _, err := write(dir, name, der, key); err != nil {
		return nil, err
	}
	return LoadCA(dir, name)
}

// LoadCA reads a CA that NewCA wrote.
func LoadCA(dir, name string) (*CA, error) {
	crt := filepath.Join(dir, name+".crt")
	pair, err := tls.LoadX509KeyPair(crt, filepath.Join(dir, name+".key"))
	if err != nil {
		return nil, err
	}
	key, ok := pair.PrivateKey.(crypto.Signer)
	if !ok {
		return nil, fmt.Errorf("%s: the key cannot sign", crt)
	}
	text, err := os.ReadFile(crt)
	if err != nil {
		return nil, err
	}
	return &CA{PEM: text, dir: dir, cert: pair.Leaf, key: key}, nil
}

// Issue signs a certificate for both server and client use, writes DIR/FILE.crt and DIR/FILE.key beside the CA,
// and returns both as PEM.
func (c *CA) Issue(file string, subject Subject) (crt, key []byte, err error) {
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, nil, err
	}
	template, err := newTemplate(pkix.Name{CommonName: subject.Name, Organization: subject.Groups})
	if err != nil {
		return nil, nil, err
	}
	template.KeyUsage = x509.KeyUsageDigitalSignature
	template.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth, x509.ExtKeyUsageServerAuth}
	template.DNSNames, template.IPAddresses = subject.DNS, subject.IPs
	der, err := x509.CreateCertificate(rand.Reader, template, c.cert, private.Public(), c.key)
	if err != nil {
		return nil, nil, err
	}
	return write(c.dir, file, der, private)
}

// NewSigningKey writes DIR/NAME.key and DIR/NAME.pub, with which ServiceAccount tokens are signed and checked.
func NewSigningKey(dir, name string) error {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return err
	}
	private, err := encodeKey(key)
	if err != nil {
		return err
	}
	der, err := x509.MarshalPKIXPublicKey(key.Public())
	if err != nil {
		return err
	}
	public := pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})
	if err := os.WriteFile(filepath.Join(dir, name+".pub"), public, 0o600); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, name+".key"), private, 0o600)
}

func newTemplate(name pkix.Name) (*x509.Certificate, error) {
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120))
	if err != nil {
		return nil, err
	}
	now := time.Now()
	// An hour back, so that a clock that is corrected meanwhile does not invalidate the bed.
	return &x509.Certificate{SerialNumber: serial, Subject: name, NotBefore: now.Add(-time.Hour), NotAfter: now.Add(lifetime)}, nil
}

func encodeKey(key crypto.Signer) ([]byte, error) {
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, err
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), nil
}

func write(dir, file string, der []byte, private crypto.Signer) (crt, key []byte, err error) {
	crt = pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	if key, err = encodeKey(private); err != nil {
		return nil, nil, err
	}
	if err := os.WriteFile(filepath.Join(dir, file+".crt"), crt, 0o600); err != nil {
		return nil, nil, err
	}
	return crt, key, os.WriteFile(filepath.Join(dir, file+".key"), key, 0o600)
}
