// Package supervise runs the components of a test bed as child processes: it starts, stops and restarts them,
// keeps their logs, and answers for them on a unix socket.
//
//	kube-testbed up ── Local ─► etcd, kube-apiserver, …
//	      │
//	      └─ Client ─(node.sock)─► node supervisor ── Local ─► containerd, kubelet, …
//
// It knows nothing of Kubernetes.
package supervise

// Spec says how one component is started, and restarted later with the same arguments.
type Spec struct {
	// Name identifies the component within its group and names its log file.
	Name string `json:"name"`
	// Path is the executable.
	Path string `json:"path"`
	// Args are the arguments after the program name.
	Args []string `json:"args"`
	// Env is added to the supervisor's own environment.
	Env []string `json:"env,omitempty"`
	// Isolated starts the process in its own mount, network and pid namespaces.
	Isolated bool `json:"isolated,omitempty"`
}

// Status is what is known of one component.
type Status struct {
	Name string `json:"name"`
	// PID is the process id as the component's own supervisor sees it; 0 when it does not run.
	PID int `json:"pid"`
	// Running is false for a component that was stopped or that died.
	Running bool `json:"running"`
	// Exit tells how the last process ended, if it has.
	Exit string `json:"exit,omitempty"`
	// Restarts counts the starts after the first.
	Restarts int `json:"restarts"`
	// RSS is the resident memory in bytes.
	RSS uint64 `json:"rss"`
	// CPUSeconds is the processor time the current process has used.
	CPUSeconds float64 `json:"cpuSeconds"`
	// Log is the path of the log file.
	Log string `json:"log"`
}

// Group is a set of components under one supervisor. Local owns the processes; Client asks another process's Local.
type Group interface {
	// Start starts a component that the group does not have yet.
	Start(spec Spec) error
	// Do stops, starts or restarts a component that the group has.
	Do(name string, verb Verb) error
	// List reports every component in the order of their first start.
	List() ([]Status, error)
}

// Verb is what can be done to a component.
type Verb string

// The verbs of Group.Do.
const (
	Stop    Verb = "stop"
	Start   Verb = "start"
	Restart Verb = "restart"
	// Kill ends the component with SIGKILL and leaves it down: a crash, as tests want it.
	Kill Verb = "kill"
)
