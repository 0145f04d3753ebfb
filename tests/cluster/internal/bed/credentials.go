package bed

import (
	"fmt"
	"net"
	"os"

	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"

	"kubectl-keda/tests/cluster/internal/layout"
	"kubectl-keda/tests/cluster/internal/pki"
)

// The file names of the two CAs.
const (
	rootCA       = "ca"
	frontProxyCA = "front-proxy-ca"
)

// masters is the group that RBAC lets do everything.
const masters = "system:masters"

// identities are the clients of the control plane; each gets a kubeconfig of its own.
var identities = map[string]pki.Subject{
	"admin":              {Name: "kubernetes-admin", Groups: []string{masters}},
	"controller-manager": {Name: "system:kube-controller-manager"},
	"scheduler":          {Name: "system:kube-scheduler"},
	"kwok":               {Name: "kwok", Groups: []string{masters}},
}

// writeCredentials makes both CAs, every certificate of the control plane, and its kubeconfigs.
func writeCredentials(l layout.Layout, server string, addresses []net.IP) (*pki.CA, error) {
	if err := os.MkdirAll(l.PKI(""), 0o700); err != nil {
		return nil, err
	}
	ca, err := pki.NewCA(l.PKI(""), rootCA)
	if err != nil {
		return nil, err
	}
	proxyCA, err := pki.NewCA(l.PKI(""), frontProxyCA)
	if err != nil {
		return nil, err
	}
	if _, _, err := proxyCA.Issue("front-proxy-client", pki.Subject{Name: "front-proxy-client"}); err != nil {
		return nil, err
	}
	if err := pki.NewSigningKey(l.PKI(""), "service-account"); err != nil {
		return nil, err
	}
	local := []net.IP{net.IPv4(127, 0, 0, 1), net.IPv6loopback}
	servers := map[string]pki.Subject{
		"apiserver": {
			Name: "kube-apiserver",
			DNS:  []string{"localhost", "kubernetes", "kubernetes.default", "kubernetes.default.svc", "kubernetes.default.svc.cluster.local"},
			IPs:  append(addresses, local...),
		},
		"controller-manager-serving": {Name: "kube-controller-manager", IPs: local},
		"scheduler-serving":          {Name: "kube-scheduler", IPs: local},
		"kubelet-client":             {Name: "kube-apiserver-kubelet-client", Groups: []string{masters}},
	}
	for file, subject := range servers {
		if _, _, err := ca.Issue(file, subject); err != nil {
			return nil, err
		}
	}
	for identity, subject := range identities {
		if err := writeClientKubeconfig(l, ca, identity, subject, server); err != nil {
			return nil, err
		}
	}
	return ca, nil
}

// writeClientKubeconfig issues a client certificate and writes the kubeconfig that holds it.
func writeClientKubeconfig(l layout.Layout, ca *pki.CA, identity string, subject pki.Subject, server string) error {
	crt, key, err := ca.Issue(identity, subject)
	if err != nil {
		return fmt.Errorf("cannot issue a certificate for %s: %w", identity, err)
	}
	user := &clientcmdapi.AuthInfo{ClientCertificateData: crt, ClientKeyData: key}
	return writeKubeconfig(l.Kubeconfig(identity), server, ca.PEM, user)
}

func writeKubeconfig(path, server string, ca []byte, user *clientcmdapi.AuthInfo) error {
	config := clientcmdapi.NewConfig()
	config.Clusters["testbed"] = &clientcmdapi.Cluster{Server: server, CertificateAuthorityData: ca}
	config.AuthInfos["testbed"] = user
	config.Contexts["testbed"] = &clientcmdapi.Context{Cluster: "testbed", AuthInfo: "testbed"}
	config.CurrentContext = "testbed"
	return clientcmd.WriteToFile(*config, path)
}
