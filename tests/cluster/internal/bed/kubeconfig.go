package bed

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/pflag"
	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	clientauthentication "k8s.io/client-go/pkg/apis/clientauthentication/v1"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"

	"kubectl-keda/tests/cluster/internal/layout"
	"kubectl-keda/tests/cluster/internal/pki"
)

// kubeconfigRequest says whom a kubeconfig is for: one of account, exec and user; none of them for the administrator.
type kubeconfigRequest struct {
	account, exec, user string
	groups              []string
	out                 string
	duration            time.Duration
}

// Kubeconfig prints the path of the administrator's kubeconfig, or writes one for somebody with fewer rights.
func Kubeconfig(args []string) error {
	var name, dir string
	var r kubeconfigRequest
	flags := pflag.NewFlagSet("kubeconfig", pflag.ContinueOnError)
	dirFlags(flags, &name, &dir)
	flags.StringVar(&r.account, "service-account", "", "NAMESPACE/NAME: with a token of this ServiceAccount, which is made if it is missing")
	flags.StringVar(&r.exec, "exec", "", "NAMESPACE/NAME: with an exec plugin that prints such a token")
	flags.StringVar(&r.user, "user", "", "NAME: with a client certificate for this user")
	flags.StringSliceVar(&r.groups, "group", nil, "a group of --user (repeatable)")
	flags.StringVar(&r.out, "out", "", "file to write")
	flags.DurationVar(&r.duration, "duration", 24*time.Hour, "lifetime of a token")
	if err := flags.Parse(args); err != nil {
		return err
	}
	l, err := openLayout(name, dir)
	if err != nil {
		return err
	}
	state, err := loadState(l)
	if err != nil {
		return err
	}
	if r.account == "" && r.exec == "" && r.user == "" {
		_, err := fmt.Println(state.Kubeconfig)
		return err
	}
	if r.out == "" {
		return errors.New("name the file to write with --out")
	}
	return r.write(l, state)
}

func (r kubeconfigRequest) write(l layout.Layout, state *State) error {
	ca, err := pki.LoadCA(l.PKI(""), rootCA)
	if err != nil {
		return err
	}
	user, err := r.authInfo(l, ca)
	if err != nil {
		return err
	}
	return writeKubeconfig(r.out, state.Server, ca.PEM, user)
}

func (r kubeconfigRequest) authInfo(l layout.Layout, ca *pki.CA) (*clientcmdapi.AuthInfo, error) {
	switch {
	case r.user != "":
		crt, key, err := ca.Issue("user-"+strings.Map(fileRune, r.user), pki.Subject{Name: r.user, Groups: r.groups})
		return &clientcmdapi.AuthInfo{ClientCertificateData: crt, ClientKeyData: key}, err
	case r.account != "":
		token, err := requestToken(l, r.account, r.duration)
		return &clientcmdapi.AuthInfo{Token: token}, err
	default:
		token, err := requestToken(l, r.exec, r.duration)
		if err != nil {
			return nil, err
		}
		path, err := filepath.Abs(r.out + ".token")
		if err != nil {
			return nil, err
		}
		if err := os.WriteFile(path, []byte(token), 0o600); err != nil {
			return nil, err
		}
		return &clientcmdapi.AuthInfo{Exec: &clientcmdapi.ExecConfig{
			APIVersion: clientauthentication.SchemeGroupVersion.String(), Command: l.Exe(),
			Args: []string{"exec-credential", path}, InteractiveMode: clientcmdapi.NeverExecInteractiveMode,
		}}, nil
	}
}

// fileRune keeps a user's name from leaving the directory of certificates.
func fileRune(r rune) rune {
	if r == '/' || r == os.PathSeparator {
		return '_'
	}
	return r
}

// requestToken asks for a token of a ServiceAccount, which it creates in an existing namespace if it is missing.
func requestToken(l layout.Layout, account string, lifetime time.Duration) (string, error) {
	namespace, name, ok := strings.Cut(account, "/")
	if !ok {
		return "", fmt.Errorf("a ServiceAccount is NAMESPACE/NAME, not %q", account)
	}
	client, err := newClient(l)
	if err != nil {
		return "", err
	}
	ctx, accounts := context.Background(), client.CoreV1().ServiceAccounts(namespace)
	_, err = accounts.Create(ctx, &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Name: name}}, metav1.CreateOptions{})
	if err != nil && !apierrors.IsAlreadyExists(err) {
		return "", err
	}
	seconds := int64(lifetime.Seconds())
	request := &authenticationv1.TokenRequest{Spec: authenticationv1.TokenRequestSpec{ExpirationSeconds: &seconds}}
	answer, err := accounts.CreateToken(ctx, name, request, metav1.CreateOptions{})
	if err != nil {
		return "", err
	}
	return answer.Status.Token, nil
}

// ExecCredential is the exec plugin of `kubeconfig --exec`: it prints the token that a file holds.
func ExecCredential(args []string) error {
	if len(args) != 1 {
		return errors.New("usage: exec-credential TOKENFILE")
	}
	token, err := os.ReadFile(args[0])
	if err != nil {
		return err
	}
	credential := clientauthentication.ExecCredential{
		TypeMeta: metav1.TypeMeta{APIVersion: clientauthentication.SchemeGroupVersion.String(), Kind: "ExecCredential"},
		Status:   &clientauthentication.ExecCredentialStatus{Token: string(token)},
	}
	return json.NewEncoder(os.Stdout).Encode(credential)
}
