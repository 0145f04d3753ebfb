// Package bed brings a Kubernetes cluster up on one host, without containers for the control plane, and takes it down
// again.
//
//	up ─► supervise (background) ─► etcd ─► kube-apiserver ─► kube-controller-manager, kube-scheduler, kwok
//	                             └► the real node (package node), when asked for
//	down, status, restart ─► control.sock, state.json
//
// Everything a bed writes lies in its state directory; everything it changes outside is undone by `down`.
package bed

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/pflag"

	"kubectl-keda/tests/cluster/internal/layout"
)

// What to do about the real node.
const (
	realNodeNo      = "no"
	realNodeTry     = "try"
	realNodeRequire = "require"
)

// Options is what `up` was asked for.
type Options struct {
	Name string
	Dir  string
	// Port is the API server's; 0 picks a free one.
	Port int
	// Nodes is the number of simulated nodes; negative means one, or none beside a real node.
	Nodes int
	// RealNode is one of no, try (go on without it and say why) and require.
	RealNode string
	// AuditPolicy is the path of an audit.k8s.io Policy; empty turns auditing off.
	AuditPolicy string
	HPA         HPAOptions
	// Extra holds arguments added to a component's own, by component.
	Extra     map[string][]string
	Verbosity int
	Timeout   time.Duration
}

// HPAOptions are the kube-controller-manager's --horizontal-pod-autoscaler-* flags.
type HPAOptions struct {
	SyncPeriod              time.Duration
	DownscaleStabilization  time.Duration
	CPUInitializationPeriod time.Duration
	InitialReadinessDelay   time.Duration
}

// dirFlags adds the two flags by which every verb finds its bed.
func dirFlags(flags *pflag.FlagSet, name, dir *string) {
	flags.StringVar(name, "name", "default", "name of the bed")
	flags.StringVar(dir, "dir", "", "state directory (default NAME beside the directory of this binary)")
}

// openLayout resolves what dirFlags has read.
func openLayout(name, dir string) (layout.Layout, error) {
	if dir != "" {
		return layout.New(dir)
	}
	exe, err := os.Executable()
	if err != nil {
		return layout.Layout{}, err
	}
	return layout.New(filepath.Join(filepath.Dir(filepath.Dir(exe)), name))
}

func parseOptions(args []string) (Options, error) {
	o := Options{Extra: map[string][]string{}}
	var extra []string
	flags := pflag.NewFlagSet("up", pflag.ContinueOnError)
	dirFlags(flags, &o.Name, &o.Dir)
	flags.IntVar(&o.Port, "port", 0, "port of kube-apiserver (0: a free one)")
	flags.IntVar(&o.Nodes, "nodes", -1, "simulated nodes (default 1, or 0 beside a real node)")
	flags.StringVar(&o.RealNode, "real-node", realNodeNo, "a node that runs real containers: no, require, or try (go on without, and say why)")
	flags.Lookup("real-node").NoOptDefVal = realNodeRequire
	flags.StringVar(&o.AuditPolicy, "audit", "", "audit policy file; the log is audit.log in the state directory")
	flags.DurationVar(&o.HPA.SyncPeriod, "sync-period", time.Second, "how often the HPA controller looks (upstream 15s)")
	flags.DurationVar(&o.HPA.DownscaleStabilization, "downscale-stabilization", 5*time.Second, "default window for scaling in (upstream 5m)")
	flags.DurationVar(&o.HPA.CPUInitializationPeriod, "cpu-initialization-period", 10*time.Second, "how long the cpu of a starting pod may be ignored (upstream 5m)")
	flags.DurationVar(&o.HPA.InitialReadinessDelay, "initial-readiness-delay", time.Second, "how long readiness changes count as the initial one (upstream 30s)")
	flags.StringArrayVar(&extra, "arg", nil, "COMPONENT=ARGUMENT added to a component's own (repeatable)")
	flags.IntVar(&o.Verbosity, "v", 1, "log verbosity of the components")
	flags.DurationVar(&o.Timeout, "timeout", 3*time.Minute, "how long the bed may take to become ready")
	if err := flags.Parse(args); err != nil {
		return o, err
	}
	if flags.NArg() > 0 {
		return o, fmt.Errorf("unexpected argument %q", flags.Arg(0))
	}
	switch o.RealNode {
	case realNodeNo, realNodeTry, realNodeRequire:
	default:
		return o, fmt.Errorf("--real-node must be no, try or require, not %q", o.RealNode)
	}
	for _, e := range extra {
		component, argument, ok := strings.Cut(e, "=")
		if !ok {
			return o, fmt.Errorf("--arg must be COMPONENT=ARGUMENT, not %q", e)
		}
		o.Extra[component] = append(o.Extra[component], argument)
	}
	if o.AuditPolicy != "" {
		path, err := filepath.Abs(o.AuditPolicy)
		if err != nil {
			return o, err
		}
		if _, err := os.Stat(path); err != nil {
			return o, fmt.Errorf("--audit: %w", err)
		}
		o.AuditPolicy = path
	}
	return o, nil
}

// nodes is the number of simulated nodes once it is known whether there is a real one.
func (o Options) nodes(real bool) int {
	switch {
	case o.Nodes >= 0:
		return o.Nodes
	case real:
		return 0
	default:
		return 1
	}
}

// optionsFile hands the options from `up` to the supervisor it starts.
const optionsFile = "options.json"

func (o Options) save(l layout.Layout) error {
	text, err := json.MarshalIndent(o, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(l.Path(optionsFile), text, 0o600)
}

func loadOptions(l layout.Layout) (Options, error) {
	var o Options
	text, err := os.ReadFile(l.Path(optionsFile))
	if err != nil {
		return o, err
	}
	return o, json.Unmarshal(text, &o)
}
