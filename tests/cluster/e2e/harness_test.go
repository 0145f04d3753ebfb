// Package e2e tests the test bed from the outside, by its verbs.
package e2e

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// bed is a running bed, as `up` described it.
type bed struct {
	Dir         string `json:"dir"`
	PID         int    `json:"pid"`
	Server      string `json:"server"`
	Kubeconfig  string `json:"kubeconfig"`
	CA          string `json:"ca"`
	HostAddress string `json:"hostAddress"`
	AuditLog    string `json:"auditLog"`
	RealNode    *struct {
		Name        string `json:"name"`
		Address     string `json:"address"`
		HostAddress string `json:"hostAddress"`
		PID         int    `json:"pid"`
	} `json:"realNode"`
	Components []struct {
		Name     string `json:"name"`
		Running  bool   `json:"running"`
		Restarts int    `json:"restarts"`
	} `json:"components"`
}

// missing skips a test whose means this machine lacks, and fails it where nothing may be missing.
func missing(t *testing.T, what string) {
	t.Helper()
	if os.Getenv("CI") == "true" {
		t.Fatal(what)
	}
	t.Skip(what)
}

// binary is the built test bed.
func binary(t *testing.T) string {
	t.Helper()
	path := os.Getenv("KEDA_TESTBED_BIN")
	if path == "" {
		path = filepath.Join("..", "..", "..", "target", "testbed", "bin", "kube-testbed")
	}
	path, err := filepath.Abs(path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(path); err != nil {
		missing(t, "the test bed is not built: `cargo xtask cluster up` builds it")
	}
	return path
}

// run runs a verb of the test bed and returns its stdout; the error holds its stderr.
func run(t *testing.T, args ...string) (string, error) {
	t.Helper()
	var stdout, stderr bytes.Buffer
	command := exec.Command(binary(t), args...)
	command.Stdout, command.Stderr = &stdout, &stderr
	if err := command.Run(); err != nil {
		return stdout.String(), fmt.Errorf("%s: %w\n%s", strings.Join(args, " "), err, stderr.String())
	}
	return stdout.String(), nil
}

// must is run for what may not fail.
func must(t *testing.T, args ...string) string {
	t.Helper()
	out, err := run(t, args...)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// up starts a bed that ends with the test.
func up(t *testing.T, name string, args ...string) *bed {
	t.Helper()
	dir := filepath.Join(filepath.Dir(filepath.Dir(binary(t))), "e2e-"+name)
	t.Cleanup(func() {
		if _, err := run(t, "down", "--dir", dir); err != nil {
			t.Error(err)
		}
	})
	var b bed
	text := must(t, append([]string{"up", "--name", name, "--dir", dir}, args...)...)
	if err := json.Unmarshal([]byte(text), &b); err != nil {
		t.Fatal(err)
	}
	return &b
}

// upWithNode starts a bed with a real node, if this machine can run one.
func upWithNode(t *testing.T, name string, args ...string) *bed {
	t.Helper()
	if os.Geteuid() != 0 {
		missing(t, "the real node takes root")
	}
	if _, err := exec.LookPath("containerd"); err != nil {
		missing(t, "containerd is not installed: `cargo xtask cluster up` installs it")
	}
	return up(t, name, append(args, "--real-node")...)
}

// kubectl runs kubectl as the administrator.
func (b *bed) kubectl(t *testing.T, args ...string) (string, error) {
	t.Helper()
	return run(t, append([]string{"kubectl", "--kubeconfig", b.Kubeconfig}, args...)...)
}

// mustKubectl is kubectl for what may not fail.
func (b *bed) mustKubectl(t *testing.T, args ...string) string {
	t.Helper()
	out, err := b.kubectl(t, args...)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// apply applies a manifest.
func (b *bed) apply(t *testing.T, manifest string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "manifest.yaml")
	if err := os.WriteFile(path, []byte(manifest), 0o600); err != nil {
		t.Fatal(err)
	}
	b.mustKubectl(t, "apply", "--filename", path)
}

// eventually polls until check reports nothing, or fails with what it reported last.
func eventually(t *testing.T, within time.Duration, check func() string) {
	t.Helper()
	for deadline := time.Now().Add(within); ; time.Sleep(200 * time.Millisecond) {
		problem := check()
		if problem == "" {
			return
		}
		if time.Now().After(deadline) {
			t.Fatal(problem)
		}
	}
}
