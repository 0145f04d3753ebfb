package pki

import (
	"crypto/x509"
	"encoding/pem"
	"net"
	"slices"
	"testing"
)

func TestIssuesWhatVerifies(t *testing.T) {
	dir := t.TempDir()
	if _, err := NewCA(dir, "ca"); err != nil {
		t.Fatal(err)
	}
	ca, err := LoadCA(dir, "ca")
	if err != nil {
		t.Fatal(err)
	}
	crt, _, err := ca.Issue("server", Subject{
		Name: "someone", Groups: []string{"a", "b"}, DNS: []string{"name.example"}, IPs: []net.IP{net.IPv4(10, 0, 0, 1)},
	})
	if err != nil {
		t.Fatal(err)
	}
	block, _ := pem.Decode(crt)
	leaf, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(ca.PEM)
	for _, name := range []string{"name.example", "10.0.0.1"} {
		if _, err := leaf.Verify(x509.VerifyOptions{DNSName: name, Roots: roots}); err != nil {
			t.Errorf("as %s: %v", name, err)
		}
	}
	if _, err := leaf.Verify(x509.VerifyOptions{DNSName: "other.example", Roots: roots}); err == nil {
		t.Errorf("verifies for a name it was not issued for")
	}
	if leaf.Subject.CommonName != "someone" || !slices.Equal(leaf.Subject.Organization, []string{"a", "b"}) {
		t.Errorf("subject is %s", leaf.Subject)
	}
}
