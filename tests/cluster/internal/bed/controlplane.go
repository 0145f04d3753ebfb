package bed

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"net/http"
	"strconv"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"

	"kubectl-keda/tests/cluster/internal/layout"
	"kubectl-keda/tests/cluster/internal/pki"
	"kubectl-keda/tests/cluster/internal/supervise"
)

// serviceCIDR holds the cluster IPs of a bed without a real node: nothing routes them.
const serviceCIDR = "10.96.0.0/16"

// controlPlane starts etcd, kube-apiserver, kube-controller-manager and kube-scheduler.
type controlPlane struct {
	layout  layout.Layout
	options Options
	group   supervise.Group
	wait    *waiter
	ca      *pki.CA
	// bind is the address that kube-apiserver listens on, advertise the one it tells others.
	bind, advertise string
	serviceCIDR     string
	port            int
}

func (c *controlPlane) server() string { return fmt.Sprintf("https://127.0.0.1:%d", c.port) }

// up starts the components in the order in which they need each other, and returns a client of the API server.
func (c *controlPlane) up() (*kubernetes.Clientset, error) {
	etcd, err := c.startEtcd()
	if err != nil {
		return nil, err
	}
	if err := c.start("kube-apiserver", c.apiserverArgs(etcd)); err != nil {
		return nil, err
	}
	client, err := newClient(c.layout)
	if err != nil {
		return nil, err
	}
	ready := func(ctx context.Context) error {
		return client.Discovery().RESTClient().Get().AbsPath("/readyz").Do(ctx).Error()
	}
	if err := c.wait.until("kube-apiserver", "kube-apiserver", ready); err != nil {
		return nil, err
	}
	if err := c.startControllers(); err != nil {
		return nil, err
	}
	// Pods are refused before their namespace has its ServiceAccount.
	account := func(ctx context.Context) error {
		_, err := client.CoreV1().ServiceAccounts(corev1.NamespaceDefault).Get(ctx, "default", metav1.GetOptions{})
		return err
	}
	return client, c.wait.until("default ServiceAccount", "kube-controller-manager", account)
}

func (c *controlPlane) start(component string, args []string) error {
	all := append([]string{component, fmt.Sprintf("--v=%d", c.options.Verbosity)}, args...)
	return c.group.Start(supervise.Spec{
		Name: component, Path: c.layout.Exe(), Args: append(all, c.options.Extra[component]...),
	})
}

func (c *controlPlane) startEtcd() (string, error) {
	ports, err := freePorts(2)
	if err != nil {
		return "", err
	}
	client := fmt.Sprintf("http://127.0.0.1:%d", ports[0])
	args := []string{"etcd", "--data-dir", c.layout.Path("etcd"), "--client-url", client,
		"--peer-url", fmt.Sprintf("http://127.0.0.1:%d", ports[1])}
	if err := c.group.Start(supervise.Spec{Name: "etcd", Path: c.layout.Exe(), Args: append(args, c.options.Extra["etcd"]...)}); err != nil {
		return "", err
	}
	return client, c.wait.until("etcd", "etcd", func(ctx context.Context) error {
		return httpOK(ctx, http.DefaultClient, client+"/health")
	})
}

func (c *controlPlane) apiserverArgs(etcd string) []string {
	file := c.layout.PKI
	args := []string{
		"--etcd-servers=" + etcd,
		"--bind-address=" + c.bind,
		"--secure-port=" + strconv.Itoa(c.port),
		"--tls-cert-file=" + file("apiserver.crt"), "--tls-private-key-file=" + file("apiserver.key"),
		"--client-ca-file=" + file("ca.crt"),
		"--requestheader-client-ca-file=" + file("front-proxy-ca.crt"),
		"--requestheader-allowed-names=front-proxy-client",
		"--requestheader-username-headers=X-Remote-User",
		"--requestheader-group-headers=X-Remote-Group",
		"--requestheader-extra-headers-prefix=X-Remote-Extra-",
		"--proxy-client-cert-file=" + file("front-proxy-client.crt"),
		"--proxy-client-key-file=" + file("front-proxy-client.key"),
		// Dial the addresses of an EndpointSlice, not the cluster IP, which this host need not route.
		"--enable-aggregator-routing=true",
		"--authorization-mode=Node,RBAC",
		"--enable-admission-plugins=NodeRestriction",
		"--service-account-issuer=https://kubernetes.default.svc.cluster.local",
		"--service-account-key-file=" + file("service-account.pub"),
		"--service-account-signing-key-file=" + file("service-account.key"),
		"--service-cluster-ip-range=" + c.serviceCIDR,
		"--kubelet-certificate-authority=" + file("ca.crt"),
		"--kubelet-client-certificate=" + file("kubelet-client.crt"),
		"--kubelet-client-key=" + file("kubelet-client.key"),
		"--kubelet-preferred-address-types=InternalIP",
		"--allow-privileged=true", "--profiling=false", "--shutdown-delay-duration=0s",
		// Leases of Events are shared for an hour: etcd has less to expire.
		"--lease-reuse-duration-seconds=3600",
	}
	if c.advertise == "" {
		// An address that leads nowhere: nobody looks for the API server behind its Service in such a bed.
		args = append(args, "--advertise-address=192.0.2.1", "--endpoint-reconciler-type=none")
	} else {
		args = append(args, "--advertise-address="+c.advertise)
	}
	if c.options.AuditPolicy != "" {
		args = append(args, "--audit-policy-file="+c.options.AuditPolicy, "--audit-log-path="+c.auditLog(),
			"--audit-log-format=json", "--audit-log-mode=blocking")
	}
	return args
}

func (c *controlPlane) auditLog() string { return c.layout.Path("audit.log") }

func (c *controlPlane) startControllers() error {
	ports, err := freePorts(2)
	if err != nil {
		return err
	}
	file, hpa := c.layout.PKI, c.options.HPA
	manager := c.controllerArgs("controller-manager", ports[0],
		"--use-service-account-credentials=true", "--flex-volume-plugin-dir="+c.layout.Path("flex"),
		"--service-account-private-key-file="+file("service-account.key"), "--root-ca-file="+file("ca.crt"),
		"--cluster-signing-cert-file="+file("ca.crt"), "--cluster-signing-key-file="+file("ca.key"),
		// A busy machine must not look like a dead node.
		"--node-monitor-grace-period=10m",
		"--horizontal-pod-autoscaler-sync-period="+hpa.SyncPeriod.String(),
		"--horizontal-pod-autoscaler-downscale-stabilization="+hpa.DownscaleStabilization.String(),
		"--horizontal-pod-autoscaler-cpu-initialization-period="+hpa.CPUInitializationPeriod.String(),
		"--horizontal-pod-autoscaler-initial-readiness-delay="+hpa.InitialReadinessDelay.String(),
	)
	if err := c.start("kube-controller-manager", manager); err != nil {
		return err
	}
	if err := c.start("kube-scheduler", c.controllerArgs("scheduler", ports[1])); err != nil {
		return err
	}
	for i, component := range []string{"kube-controller-manager", "kube-scheduler"} {
		url := fmt.Sprintf("https://127.0.0.1:%d/healthz", ports[i])
		client := httpsClient(c.ca)
		healthy := func(ctx context.Context) error { return httpOK(ctx, client, url) }
		if err := c.wait.until(component, component, healthy); err != nil {
			return err
		}
	}
	return nil
}

// controllerArgs are the arguments that both clients of the API server share.
func (c *controlPlane) controllerArgs(identity string, port int, more ...string) []string {
	kubeconfig, file := c.layout.Kubeconfig(identity), c.layout.PKI
	return append([]string{
		"--kubeconfig=" + kubeconfig, "--authentication-kubeconfig=" + kubeconfig, "--authorization-kubeconfig=" + kubeconfig,
		"--bind-address=127.0.0.1", "--secure-port=" + strconv.Itoa(port),
		"--tls-cert-file=" + file(identity+"-serving.crt"), "--tls-private-key-file=" + file(identity+"-serving.key"),
		"--client-ca-file=" + file("ca.crt"), "--requestheader-client-ca-file=" + file("front-proxy-ca.crt"),
		"--leader-elect=false", "--profiling=false", "--kube-api-qps=200", "--kube-api-burst=400",
	}, more...)
}

func newClient(l layout.Layout) (*kubernetes.Clientset, error) {
	config, err := clientcmd.BuildConfigFromFlags("", l.Kubeconfig("admin"))
	if err != nil {
		return nil, err
	}
	config.QPS, config.Burst = 100, 200
	return kubernetes.NewForConfig(config)
}

func httpsClient(ca *pki.CA) *http.Client {
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(ca.PEM)
	return &http.Client{Transport: &http.Transport{
		TLSClientConfig: &tls.Config{RootCAs: pool}, DisableKeepAlives: true,
	}}
}

func httpOK(ctx context.Context, client *http.Client, url string) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	response, err := client.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("%s answers %s", url, response.Status)
	}
	return nil
}

// firstIP is the first usable address of a network: the API server's own Service.
func firstIP(cidr string) (net.IP, error) {
	_, network, err := net.ParseCIDR(cidr)
	if err != nil {
		return nil, err
	}
	ip := network.IP.To4()
	return net.IPv4(ip[0], ip[1], ip[2], ip[3]+1), nil
}
