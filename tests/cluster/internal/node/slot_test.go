package node

import (
	"errors"
	"net"
	"os"
	"strings"
	"testing"
)

func TestASlotIsHeldOnce(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("locks in /run/lock take root")
	}
	const index = slots + 1 // No bed takes this one.
	slot, err := tryLock(index, holder{4711, "/some/where"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tryLock(index, holder{1, "/else/where"}); !errors.Is(err, errHeld) {
		t.Errorf("the second lock answers %v", err)
	}
	if text := describeHolder(index); !strings.Contains(text, "4711") || !strings.Contains(text, "/some/where") {
		t.Errorf("the holder is described as %q", text)
	}
	slot.Release()
	again, err := tryLock(index, holder{1, "/else/where"})
	if err != nil {
		t.Fatal(err)
	}
	again.Release()
	if _, err := os.Stat(lockPath(index)); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the lock file stays: %v", err)
	}
}

func TestSlotsDoNotOverlap(t *testing.T) {
	var networks []*net.IPNet
	for index := range slots {
		slot := &Slot{index: index}
		for _, cidr := range []string{linkCIDR(index), slot.PodCIDR(), slot.ServiceCIDR()} {
			_, network, err := net.ParseCIDR(cidr)
			if err != nil {
				t.Fatal(err)
			}
			for _, other := range networks {
				if other.Contains(network.IP) || network.Contains(other.IP) {
					t.Errorf("%s overlaps %s", network, other)
				}
			}
			networks = append(networks, network)
		}
		_, link, err := net.ParseCIDR(linkCIDR(index))
		if err != nil {
			t.Fatal(err)
		}
		if !link.Contains(slot.HostIP()) || !link.Contains(slot.NodeIP()) {
			t.Errorf("slot %d: %s and %s are not on %s", index, slot.HostIP(), slot.NodeIP(), link)
		}
	}
}
