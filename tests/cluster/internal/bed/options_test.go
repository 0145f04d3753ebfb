package bed

import (
	"net"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestDefaults(t *testing.T) {
	o, err := parseOptions(nil)
	if err != nil {
		t.Fatal(err)
	}
	if o.RealNode != realNodeNo || o.nodes(false) != 1 || o.nodes(true) != 0 || o.HPA.SyncPeriod != time.Second {
		t.Errorf("defaults are %+v", o)
	}
}

func TestReadsFlags(t *testing.T) {
	o, err := parseOptions([]string{"--real-node", "--nodes=3", "--arg", "kube-apiserver=--feature-gates=A=true",
		"--arg=kube-apiserver=--v=4", "--downscale-stabilization", "7s"})
	if err != nil {
		t.Fatal(err)
	}
	if o.RealNode != realNodeRequire || o.nodes(true) != 3 || o.HPA.DownscaleStabilization != 7*time.Second {
		t.Errorf("options are %+v", o)
	}
	if want := []string{"--feature-gates=A=true", "--v=4"}; !slices.Equal(o.Extra["kube-apiserver"], want) {
		t.Errorf("extra arguments are %q", o.Extra)
	}
}

func TestNamesWhatIsWrong(t *testing.T) {
	for argument, want := range map[string]string{
		"--real-node=perhaps":  "perhaps",
		"--arg=kube-apiserver": "COMPONENT=ARGUMENT",
		"--audit=/no/such":     "/no/such",
		"stray":                "stray",
	} {
		if _, err := parseOptions([]string{argument}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", argument, err)
		}
	}
}

func TestPortsAreFreeAndDifferent(t *testing.T) {
	ports, err := freePorts(20)
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(ports)
	if len(slices.Compact(ports)) != 20 || ports[0] < firstPort || ports[len(ports)-1] > lastPort {
		t.Errorf("ports are %d", ports)
	}
}

func TestFirstIP(t *testing.T) {
	ip, err := firstIP("10.215.16.0/20")
	if err != nil || !ip.Equal(net.IPv4(10, 215, 16, 1)) {
		t.Errorf("%v, %v", ip, err)
	}
}
