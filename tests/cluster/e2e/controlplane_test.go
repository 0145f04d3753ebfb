package e2e

import (
	"crypto/tls"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"kubectl-keda/tests/cluster/internal/pki"
)

// metadataPolicy logs every request without its body.
const metadataPolicy = "apiVersion: audit.k8s.io/v1\nkind: Policy\nrules: [{level: Metadata}]\n"

// TestControlPlane shares one bed among everything that does not need containers.
func TestControlPlane(t *testing.T) {
	policy := filepath.Join(t.TempDir(), "policy.yaml")
	if err := os.WriteFile(policy, []byte(metadataPolicy), 0o600); err != nil {
		t.Fatal(err)
	}
	b := up(t, "plane", "--nodes", "2", "--audit", policy)
	t.Run("simulated pods become ready and jobs end", b.simulates)
	t.Run("the HPA controller reads what a host process serves", b.reachesHostProcess)
	t.Run("kubeconfigs log in as whom they are for", b.writesKubeconfigs)
	t.Run("requests are audited", b.audits)
	t.Run("a restarted API server keeps address and data", b.restarts)
	t.Run("a second bed runs beside it", func(t *testing.T) {
		other := up(t, "beside")
		if other.Server == b.Server {
			t.Errorf("both beds serve at %s", b.Server)
		}
		if out := other.mustKubectl(t, "get", "deployments"); out != "" {
			t.Errorf("the second bed has objects of the first:\n%s", out)
		}
	})
	t.Run("a directory takes one bed", func(t *testing.T) {
		if _, err := run(t, "up", "--dir", b.Dir); err == nil {
			t.Errorf("a second bed came up in %s", b.Dir)
		}
	})
}

const simulated = `
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: 3
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{name: c, image: any}]}
---
apiVersion: batch/v1
kind: Job
metadata: {name: good}
spec: {template: {spec: {restartPolicy: Never, containers: [{name: c, image: any}]}}}
---
apiVersion: batch/v1
kind: Job
metadata: {name: bad}
spec:
  backoffLimit: 0
  template:
    metadata: {annotations: {testbed/outcome: Failed}}
    spec: {restartPolicy: Never, containers: [{name: c, image: any}]}
---
apiVersion: v1
kind: Pod
metadata: {name: unready, annotations: {testbed/ready: "false"}}
spec: {containers: [{name: c, image: any}]}
`

func (b *bed) simulates(t *testing.T) {
	b.apply(t, simulated)
	b.mustKubectl(t, "rollout", "status", "deployment/web", "--timeout=60s")
	b.mustKubectl(t, "wait", "job/good", "--for=condition=Complete", "--timeout=60s")
	b.mustKubectl(t, "wait", "job/bad", "--for=condition=Failed", "--timeout=60s")
	b.mustKubectl(t, "wait", "pod/unready", "--for=jsonpath={.status.phase}=Running", "--timeout=60s")
	if ready := b.mustKubectl(t, "get", "pod", "unready", "--output", "jsonpath={.status.containerStatuses[0].ready}"); ready != "false" {
		t.Errorf("the pod that must not be ready is: %s", ready)
	}
	b.mustKubectl(t, "delete", "deployment/web", "--wait", "--cascade=foreground", "--timeout=60s")
	if crds := b.mustKubectl(t, "get", "customresourcedefinitions"); crds != "" {
		t.Errorf("the cluster has definitions of its simulator:\n%s", crds)
	}
}

// externalMetric is the answer of a metrics API with one metric at 30.
const externalMetric = `{"kind":"ExternalMetricValueList","apiVersion":"external.metrics.k8s.io/v1beta1","metadata":{},` +
	`"items":[{"metricName":"jobs","metricLabels":null,"timestamp":"2030-01-01T00:00:00Z","value":"30"}]}`

const externalMetrics = `
apiVersion: v1
kind: Service
metadata: {name: metrics, namespace: kube-system}
spec: {ports: [{name: https, port: 443, targetPort: %[2]d}]}
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {name: metrics, namespace: kube-system, labels: {kubernetes.io/service-name: metrics}}
addressType: IPv4
ports: [{name: https, port: %[2]d, protocol: TCP}]
endpoints: [{addresses: ["%[1]s"], conditions: {ready: true}}]
---
apiVersion: apiregistration.k8s.io/v1
kind: APIService
metadata: {name: v1beta1.external.metrics.k8s.io}
spec:
  group: external.metrics.k8s.io
  version: v1beta1
  groupPriorityMinimum: 100
  versionPriority: 100
  caBundle: %[3]s
  service: {name: metrics, namespace: kube-system}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: scaled}
spec:
  replicas: 1
  selector: {matchLabels: {app: scaled}}
  template:
    metadata: {labels: {app: scaled}}
    spec: {containers: [{name: c, image: any}]}
---
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata: {name: scaled}
spec:
  scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: scaled}
  maxReplicas: 3
  metrics:
  - type: External
    external: {metric: {name: jobs}, target: {type: AverageValue, averageValue: "10"}}
`

// reachesHostProcess serves the external metrics API from this process, and lets the real HPA controller scale by it.
func (b *bed) reachesHostProcess(t *testing.T) {
	if b.HostAddress == "" {
		missing(t, "this machine has no address that a Service may lead to")
	}
	ca, err := pki.LoadCA(filepath.Dir(b.CA), "ca")
	if err != nil {
		t.Fatal(err)
	}
	crt, key, err := ca.Issue("host-process", pki.Subject{Name: "metrics", DNS: []string{"metrics.kube-system.svc"}})
	if err != nil {
		t.Fatal(err)
	}
	pair, err := tls.X509KeyPair(crt, key)
	if err != nil {
		t.Fatal(err)
	}
	listener, err := tls.Listen("tcp", net.JoinHostPort(b.HostAddress, "0"), &tls.Config{Certificates: []tls.Certificate{pair}})
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		if strings.HasSuffix(r.URL.Path, "/jobs") {
			fmt.Fprint(w, externalMetric)
			return
		}
		fmt.Fprint(w, `{"kind":"APIResourceList","apiVersion":"v1","groupVersion":"external.metrics.k8s.io/v1beta1","resources":[]}`)
	})}
	go func() { _ = server.Serve(listener) }() // Ends with Close.
	defer server.Close()
	port := listener.Addr().(*net.TCPAddr).Port
	b.apply(t, fmt.Sprintf(externalMetrics, b.HostAddress, port, base64.StdEncoding.EncodeToString(ca.PEM)))
	b.mustKubectl(t, "wait", "apiservice/v1beta1.external.metrics.k8s.io", "--for=condition=Available", "--timeout=60s")
	b.mustKubectl(t, "wait", "deployment/scaled", "--for=jsonpath={.status.readyReplicas}=3", "--timeout=90s")
}

func (b *bed) writesKubeconfigs(t *testing.T) {
	dir := t.TempDir()
	for _, c := range []struct {
		user string
		args []string
	}{
		{"system:serviceaccount:default:reader", []string{"--service-account", "default/reader"}},
		{"system:serviceaccount:default:plugin", []string{"--exec", "default/plugin"}},
		{"jane", []string{"--user", "jane", "--group", "staff"}},
	} {
		out := filepath.Join(dir, c.user)
		must(t, append([]string{"kubeconfig", "--dir", b.Dir, "--out", out}, c.args...)...)
		text := must(t, "kubectl", "--kubeconfig", out, "auth", "whoami", "--output", "json")
		var review struct {
			Status struct {
				UserInfo struct {
					Username string   `json:"username"`
					Groups   []string `json:"groups"`
				} `json:"userInfo"`
			} `json:"status"`
		}
		if err := json.Unmarshal([]byte(text), &review); err != nil {
			t.Fatal(err)
		}
		if review.Status.UserInfo.Username != c.user {
			t.Errorf("logged in as %q, want %q", review.Status.UserInfo.Username, c.user)
		}
		if _, err := run(t, "kubectl", "--kubeconfig", out, "get", "secrets"); err == nil {
			t.Errorf("%s may read secrets", c.user)
		}
	}
}

func (b *bed) audits(t *testing.T) {
	b.mustKubectl(t, "create", "configmap", "audited")
	text, err := os.ReadFile(b.AuditLog)
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		var event struct {
			Verb      string `json:"verb"`
			ObjectRef struct {
				Name     string `json:"name"`
				Resource string `json:"resource"`
			} `json:"objectRef"`
		}
		if err := json.Unmarshal([]byte(line), &event); err != nil {
			t.Fatal(err)
		}
		if event.Verb == "create" && event.ObjectRef.Resource == "configmaps" && event.ObjectRef.Name == "audited" {
			return
		}
	}
	t.Errorf("%s does not hold the request", b.AuditLog)
}

func (b *bed) restarts(t *testing.T) {
	b.mustKubectl(t, "create", "configmap", "kept")
	must(t, "kill", "kube-apiserver", "--dir", b.Dir)
	if _, err := b.kubectl(t, "get", "configmap", "kept", "--request-timeout=2s"); err == nil {
		t.Errorf("the killed API server answers")
	}
	must(t, "start", "kube-apiserver", "--dir", b.Dir)
	eventually(t, time.Minute, func() string {
		if _, err := b.kubectl(t, "get", "configmap", "kept"); err != nil {
			return "the restarted API server does not answer with what it had: " + err.Error()
		}
		return ""
	})
	var now bed
	if err := json.Unmarshal([]byte(must(t, "status", "--dir", b.Dir, "--output", "json")), &now); err != nil {
		t.Fatal(err)
	}
	for _, c := range now.Components {
		want := 0
		if c.Name == "kube-apiserver" {
			want = 1
		}
		if !c.Running || c.Restarts != want {
			t.Errorf("%s: running %t, %d restarts, want %d", c.Name, c.Running, c.Restarts, want)
		}
	}
	if _, err := run(t, "restart", "no-such-component", "--dir", b.Dir); err == nil {
		t.Errorf("a component that does not exist was restarted")
	}
}
