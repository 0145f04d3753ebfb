// kube-testbed is a whole Kubernetes cluster in one binary: each component of the control plane and of a node, kubectl,
// and the verbs that put them together on one host. See README.md.
package main

import (
	"errors"
	"fmt"
	"os"
	_ "time/tzdata" // Time zones of CronJobs and cron triggers, on hosts without them.

	"github.com/spf13/pflag"

	"kubectl-keda/tests/cluster/internal/bed"
	"kubectl-keda/tests/cluster/internal/node"
	"kubectl-keda/tests/cluster/internal/supervise"
)

const usage = `usage: kube-testbed VERB [flags]   (VERB --help for its flags)

  up            start a bed in the background; prints its state as JSON
  down          stop it; leaves nothing but logs
  status        what runs, with memory and processor time
  kubeconfig    the administrator's kubeconfig, or one for somebody with fewer rights
  kubectl       kubectl of the same version (set KUBECONFIG)
  stop | start | restart | kill   one component
  image-build   build an image from a Containerfile into an OCI archive
  image-load    import archives into the real node

  etcd | kube-apiserver | kube-controller-manager | kube-scheduler | kwok | kubelet | kube-proxy   one component itself
`

// verbs are the bed's own commands. Each component is a process of its own, since feature gates and metric registries
// are process-wide: `up` runs this binary again for each.
var verbs = map[string]func([]string) error{
	"up":              bed.Up,
	"down":            bed.Down,
	"status":          bed.Status,
	"kubeconfig":      bed.Kubeconfig,
	"exec-credential": bed.ExecCredential,
	"image-build":     bed.ImageBuild,
	"image-load":      bed.ImageLoad,
	"supervise":       bed.Supervise,
	"stop":            bed.Control(supervise.Stop),
	"start":           bed.Control(supervise.Start),
	"restart":         bed.Control(supervise.Restart),
	"kill":            bed.Control(supervise.Kill),
	"node-check":      node.Check,
	"node-init":       node.Init,
	"node-supervise":  node.Supervise,
	"etcd":            runEtcd,
	"kwok":            runKwok,
}

func main() {
	if len(os.Args) < 2 {
		fmt.Fprint(os.Stderr, usage)
		os.Exit(2)
	}
	verb, args := os.Args[1], os.Args[2:]
	if component, ok := components[verb]; ok {
		// Kubernetes' commands read os.Args themselves.
		os.Args = append([]string{verb}, args...)
		os.Exit(component())
	}
	run, ok := verbs[verb]
	if !ok {
		fmt.Fprintf(os.Stderr, "unknown verb %q\n%s", verb, usage)
		os.Exit(2)
	}
	switch err := run(args); {
	case errors.Is(err, pflag.ErrHelp):
	case err != nil:
		fmt.Fprintf(os.Stderr, "kube-testbed %s: %v\n", verb, err)
		os.Exit(1)
	}
}
