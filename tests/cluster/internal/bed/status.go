package bed

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"text/tabwriter"

	"github.com/spf13/pflag"

	"kubectl-keda/tests/cluster/internal/layout"
	"kubectl-keda/tests/cluster/internal/supervise"
)

// Status prints what runs in a bed, as a table or as JSON.
func Status(args []string) error {
	var name, dir, output string
	flags := pflag.NewFlagSet("status", pflag.ContinueOnError)
	dirFlags(flags, &name, &dir)
	flags.StringVarP(&output, "output", "o", "table", "table or json")
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
	if state.Components, err = supervise.Dial(l.Control()).List(); err != nil {
		return err
	}
	switch output {
	case "json":
		text, err := json.MarshalIndent(state, "", "  ")
		if err != nil {
			return err
		}
		_, err = fmt.Println(string(text))
		return err
	case "table":
		return printStatus(state)
	default:
		return fmt.Errorf("-o must be table or json, not %q", output)
	}
}

func printStatus(state *State) error {
	fmt.Printf("%s: Kubernetes %s at %s, %d simulated nodes\n", state.Name, state.KubernetesVersion, state.Server, state.Nodes)
	switch {
	case state.RealNode != nil:
		fmt.Printf("real node: %s at %s, pods in %s\n", state.RealNode.Name, state.RealNode.Address, state.RealNode.PodCIDR)
	case state.RealNodeOff != "":
		fmt.Printf("no real node: %s\n", state.RealNodeOff)
	}
	table := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "COMPONENT\tSTATUS\tPID\tRESTARTS\tMEMORY MiB\tCPU s")
	for _, c := range state.Components {
		status := "running"
		if !c.Running {
			status = c.Exit
		}
		fmt.Fprintf(table, "%s\t%s\t%d\t%d\t%d\t%.1f\n", c.Name, status, c.PID, c.Restarts, c.RSS>>20, c.CPUSeconds)
	}
	return table.Flush()
}

// Control returns the verb that stops, starts, restarts or kills one component.
func Control(verb supervise.Verb) func(args []string) error {
	return func(args []string) error {
		var name, dir string
		flags := pflag.NewFlagSet(string(verb), pflag.ContinueOnError)
		dirFlags(flags, &name, &dir)
		if err := flags.Parse(args); err != nil {
			return err
		}
		if flags.NArg() != 1 {
			return fmt.Errorf("usage: %s COMPONENT (`status` lists them)", verb)
		}
		l, err := openLayout(name, dir)
		if err != nil {
			return err
		}
		if _, err := loadState(l); err != nil {
			return err
		}
		return control(l, flags.Arg(0), verb)
	}
}

func control(l layout.Layout, component string, verb supervise.Verb) error {
	if component == "node" {
		return errors.New("the node itself cannot be restarted: its components can")
	}
	return supervise.Dial(l.Control()).Do(component, verb)
}
