package bed

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"os/signal"
	"syscall"
	"time"

	"k8s.io/client-go/kubernetes"

	"kubectl-keda/tests/cluster/internal/layout"
	"kubectl-keda/tests/cluster/internal/node"
	"kubectl-keda/tests/cluster/internal/supervise"
)

var errInterrupted = errors.New("interrupted")

// Supervise is the process behind a bed: it brings the bed up, stays for as long as the bed lives, and stops
// everything on SIGTERM. `up` runs it and reads its messages.
func Supervise(args []string) error {
	if len(args) != 1 {
		return errors.New("usage: supervise DIR (`up` runs it)")
	}
	l, err := layout.New(args[0])
	if err != nil {
		return err
	}
	options, err := loadOptions(l)
	if err != nil {
		return err
	}
	lock, err := lockDir(l)
	if err != nil {
		return err
	}
	defer lock.Close()
	s := &supervision{layout: l, options: options, local: supervise.NewLocal(l.Logs()), messages: os.NewFile(messageFD, "messages")}
	stop, cancel := context.WithCancelCause(context.Background())
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGINT, syscall.SIGTERM)
	go func() {
		<-signals
		cancel(errInterrupted)
	}()
	err = s.run(stop)
	s.down()
	if err != nil {
		s.send(message{Error: err.Error()})
	}
	return err
}

// supervision is a bed as its supervisor knows it.
type supervision struct {
	layout   layout.Layout
	options  Options
	local    *supervise.Local
	messages *os.File
	state    State
	slot     *node.Slot
}

func (s *supervision) send(m message) error {
	text, err := json.Marshal(m)
	if err != nil {
		return err
	}
	_, err = s.messages.Write(append(text, '\n'))
	return err
}

// run brings the bed up and returns when it is asked to stop, or at once if the bed does not come up.
func (s *supervision) run(stop context.Context) error {
	ctx, cancel := context.WithTimeout(stop, s.options.Timeout)
	defer cancel()
	group := supervise.Joined{s.local, supervise.Dial(s.layout.NodeControl())}
	wait := &waiter{ctx: ctx, group: group, began: time.Now(), report: func(step string) error {
		// Whoever asked for the bed has gone: so does the bed.
		return s.send(message{Step: step})
	}}
	if err := s.up(wait); err != nil {
		return err
	}
	control, err := supervise.Serve(s.layout.Control(), group)
	if err != nil {
		return err
	}
	defer control.Close()
	s.state.Timings = wait.timings
	if err := s.state.save(s.layout); err != nil {
		return err
	}
	if err := s.send(message{Ready: true}); err != nil {
		return err
	}
	s.messages.Close()
	<-stop.Done()
	return nil
}

func (s *supervision) up(wait *waiter) error {
	if err := s.chooseNode(wait); err != nil {
		return err
	}
	plane, err := s.planControlPlane()
	if err != nil {
		return err
	}
	plane.wait = wait
	if plane.ca, err = writeCredentials(s.layout, plane.server(), s.apiserverIPs(plane)); err != nil {
		return err
	}
	client, err := plane.up()
	if err != nil {
		return err
	}
	version, err := client.Discovery().ServerVersion()
	if err != nil {
		return err
	}
	s.state.KubernetesVersion = version.GitVersion
	if s.slot != nil {
		if err := s.startNode(wait, plane, client); err != nil {
			return err
		}
	}
	s.state.Nodes = s.options.nodes(s.slot != nil)
	if s.state.Nodes == 0 {
		return nil
	}
	simulated := &simulation{layout: s.layout, client: client, wait: wait, nodes: s.state.Nodes,
		address: s.simulatedAddress(), tainted: s.slot != nil, extra: s.options.Extra["kwok"]}
	return simulated.up(s.local)
}

// chooseNode takes a slot for the real node, or notes why there will be none.
func (s *supervision) chooseNode(wait *waiter) error {
	if s.options.RealNode == realNodeNo {
		return nil
	}
	err := node.Supported(s.layout)
	if err == nil {
		s.slot, err = node.AcquireSlot(s.layout.Dir)
	}
	if err == nil {
		return s.slot.Sweep()
	}
	if s.options.RealNode == realNodeRequire {
		return fmt.Errorf("the real node cannot run here: %w", err)
	}
	s.state.RealNodeOff = err.Error()
	return wait.report("no real node: " + err.Error())
}

func (s *supervision) planControlPlane() (*controlPlane, error) {
	address, err := hostAddress()
	if err != nil {
		return nil, err
	}
	plane := &controlPlane{layout: s.layout, options: s.options, group: s.local, port: s.options.Port,
		bind: "127.0.0.1", serviceCIDR: serviceCIDR}
	switch {
	case s.slot != nil:
		plane.bind, plane.advertise, plane.serviceCIDR = "0.0.0.0", s.slot.HostIP().String(), s.slot.ServiceCIDR()
		if address == "" {
			address = plane.advertise
		}
	case address == "":
		if address, err = addHostAddress(); err != nil {
			return nil, err
		}
		s.state.AddedAddress = address
		plane.advertise = address
	default:
		plane.advertise = address
	}
	if plane.port == 0 {
		ports, err := freePorts(1)
		if err != nil {
			return nil, err
		}
		plane.port = ports[0]
	}
	s.state.Name, s.state.Dir, s.state.PID = s.options.Name, s.layout.Dir, os.Getpid()
	s.state.Server, s.state.Kubeconfig, s.state.CA = plane.server(), s.layout.Kubeconfig("admin"), s.layout.PKI("ca.crt")
	s.state.HostAddress = address
	if s.options.AuditPolicy != "" {
		s.state.AuditLog = plane.auditLog()
	}
	// Kept from now on, so that `down` can undo a bed that never became ready.
	return plane, s.state.saveDraft(s.layout)
}

// apiserverIPs are the addresses at which clients may reach the API server, besides loopback.
func (s *supervision) apiserverIPs(plane *controlPlane) []net.IP {
	var ips []net.IP
	if ip, err := firstIP(plane.serviceCIDR); err == nil {
		ips = append(ips, ip)
	}
	for _, address := range []string{plane.advertise, s.state.HostAddress} {
		if ip := net.ParseIP(address); ip != nil {
			ips = append(ips, ip)
		}
	}
	return ips
}

// simulatedAddress is what simulated nodes report as theirs: never the real node's, whose kubelet would be asked twice.
func (s *supervision) simulatedAddress() string {
	if s.state.HostAddress != "" {
		return s.state.HostAddress
	}
	return "192.0.2.1"
}

func (s *supervision) startNode(wait *waiter, plane *controlPlane, client *kubernetes.Clientset) error {
	real := &node.Node{
		Layout: s.layout, Slot: s.slot, CA: plane.ca, Client: client, Outer: s.local,
		Server:    fmt.Sprintf("https://%s:%d", s.slot.HostIP(), plane.port),
		Verbosity: s.options.Verbosity, Extra: s.options.Extra,
		Wait:            wait.until,
		WriteKubeconfig: writeKubeconfig,
	}
	state, err := real.Up(wait.ctx)
	s.state.RealNode = state
	return err
}

// down stops the components and undoes what this process has changed on the host.
func (s *supervision) down() {
	s.local.StopAll()
	report := func(err error) {
		if err != nil {
			fmt.Fprintln(os.Stderr, "cannot clean up:", err)
		}
	}
	if s.slot != nil {
		report(s.slot.Sweep())
		s.slot.Release()
	}
	report(sweep(s.layout))
}
