package e2e

import (
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// probeImage holds the probe program of this module.
const probeImage = "testbed.local/probe:1"

const probes = `
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: 2
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      terminationGracePeriodSeconds: 1
      containers:
      - name: probe
        image: testbed.local/probe:1
        args: [serve, ":8080"]
        readinessProbe: {httpGet: {path: /, port: 8080}, periodSeconds: 1}
        resources: {requests: {cpu: 50m}, limits: {cpu: 200m, memory: 64Mi}}
---
apiVersion: v1
kind: Service
metadata: {name: web}
spec: {selector: {app: web}, ports: [{port: 80, targetPort: 8080}]}
`

// deployProbes builds the probe's image, loads it into the node, and runs two pods of it behind a Service.
func (b *bed) deployProbes(t *testing.T) {
	t.Helper()
	dir := t.TempDir()
	program, err := os.ReadFile(filepath.Join(filepath.Dir(binary(t)), "probe"))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "probe"), program, 0o755); err != nil {
		t.Fatal(err)
	}
	containerfile := "FROM scratch\nCOPY probe /probe\nUSER 65532\nENTRYPOINT [\"/probe\"]\n"
	if err := os.WriteFile(filepath.Join(dir, "Containerfile"), []byte(containerfile), 0o600); err != nil {
		t.Fatal(err)
	}
	archive := filepath.Join(dir, "probe.tar")
	must(t, "image-build", "--context", dir, "--tag", probeImage, "--out", archive)
	must(t, "image-load", "--dir", b.Dir, archive)
	b.apply(t, probes)
	b.mustKubectl(t, "rollout", "status", "deployment/web", "--timeout=120s")
}

// TestRealNode shares one bed with a real node.
func TestRealNode(t *testing.T) {
	b := upWithNode(t, "node", "--nodes", "1")
	b.deployProbes(t)
	t.Run("pods reach Services, names and the API server", b.connects)
	t.Run("logs, exec and port-forward go through kubelet", b.streams)
	t.Run("the host reaches cluster IPs", b.hostReachesServices)
	t.Run("metrics-server measures pods and nodes", b.measures)
	t.Run("a pod survives a restart of kubelet", b.survivesKubelet)
	t.Run("simulated nodes keep ordinary pods away", func(t *testing.T) {
		nodes := b.mustKubectl(t, "get", "pods", "--output", "jsonpath={.items[*].spec.nodeName}")
		if nodes != "real-0 real-0" {
			t.Errorf("pods run on %s", nodes)
		}
	})
}

// inside runs the probe in a pod.
func (b *bed) inside(t *testing.T, args ...string) string {
	t.Helper()
	return b.mustKubectl(t, append([]string{"exec", "deployment/web", "--", "/probe"}, args...)...)
}

func (b *bed) connects(t *testing.T) {
	answers := map[string]bool{}
	eventually(t, time.Minute, func() string {
		// kube-proxy and CoreDNS learn of a Service a moment after the pods behind it are ready.
		answer, err := b.kubectl(t, "exec", "deployment/web", "--", "/probe", "get", "http://web/")
		if err != nil {
			return err.Error()
		}
		if answers[answer] = true; len(answers) < 2 {
			return "the Service leads to one pod only"
		}
		return ""
	})
	want := b.mustKubectl(t, "get", "service", "kubernetes", "--output", "jsonpath={.spec.clusterIP}")
	for _, name := range []string{"kubernetes.default", "kubernetes.default.svc.cluster.local"} {
		if got := strings.TrimSpace(b.inside(t, "lookup", name)); got != want {
			t.Errorf("%s is %s, want %s", name, got, want)
		}
	}
	if answer := b.inside(t, "get", "https://kubernetes.default/version"); !strings.HasPrefix(answer, "200 OK") {
		t.Errorf("the API server answers %s", answer)
	}
}

func (b *bed) streams(t *testing.T) {
	if log := b.mustKubectl(t, "logs", "deployment/web"); !strings.Contains(log, "serving on :8080") {
		t.Errorf("the log is %q", log)
	}
	const address = "127.0.0.1:18473"
	forward := exec.Command(binary(t), "kubectl", "--kubeconfig", b.Kubeconfig, "port-forward", "service/web", "18473:80")
	if err := forward.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		_ = forward.Process.Kill()
		_ = forward.Wait()
	}()
	b.answersAt(t, "http://"+address)
}

func (b *bed) hostReachesServices(t *testing.T) {
	b.answersAt(t, "http://"+b.mustKubectl(t, "get", "service", "web", "--output", "jsonpath={.spec.clusterIP}"))
}

func (b *bed) answersAt(t *testing.T, url string) {
	t.Helper()
	client := http.Client{Timeout: 5 * time.Second}
	eventually(t, 30*time.Second, func() string {
		response, err := client.Get(url)
		if err != nil {
			return err.Error()
		}
		response.Body.Close()
		if response.StatusCode != http.StatusOK {
			return response.Status
		}
		return ""
	})
}

func (b *bed) measures(t *testing.T) {
	eventually(t, 90*time.Second, func() string {
		pods, err := b.kubectl(t, "top", "pods", "--no-headers")
		if err != nil || strings.Count(pods, "web-") != 2 {
			return "kubectl top pods does not show both pods: " + pods
		}
		nodes, err := b.kubectl(t, "top", "nodes", "--no-headers")
		if err != nil || !strings.HasPrefix(nodes, "real-0") {
			return "kubectl top nodes does not show the node: " + nodes
		}
		return ""
	})
}

func (b *bed) survivesKubelet(t *testing.T) {
	before := b.mustKubectl(t, "get", "pods", "--output", "jsonpath={.items[*].metadata.uid}")
	must(t, "restart", "kubelet", "--dir", b.Dir)
	eventually(t, time.Minute, func() string {
		if _, err := b.kubectl(t, "exec", "deployment/web", "--", "/probe", "get", "http://web/"); err != nil {
			return "after its restart, kubelet does not answer: " + err.Error()
		}
		return ""
	})
	if after := b.mustKubectl(t, "get", "pods", "--output", "jsonpath={.items[*].metadata.uid}"); after != before {
		t.Errorf("pods before: %s, after: %s", before, after)
	}
}
