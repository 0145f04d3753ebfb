package node

import (
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

// lockDir holds one lock file for each slot in use.
const lockDir = "/run/lock"

// slots is how many real nodes may run on one host at a time.
const slots = 8

// Slot is one of the places for a real node on this host: what must differ between two of them follows from its
// index. A slot is held by a lock file for as long as the supervisor lives.
type Slot struct {
	index int
	file  *os.File
}

// holder is what a lock file says of who holds it.
type holder struct {
	PID int    `json:"pid"`
	Dir string `json:"dir"`
}

// AcquireSlot takes the first free slot, or only the given one if it is not negative. A slot that a crashed bed
// left is swept first.
func AcquireSlot(dir string) (*Slot, error) {
	var held []string
	for index := range slots {
		slot, err := tryLock(index, holder{os.Getpid(), dir})
		if errors.Is(err, errHeld) {
			held = append(held, describeHolder(index))
			continue
		}
		if err != nil {
			return nil, err
		}
		if err := slot.overlap(); err != nil {
			slot.Release()
			held = append(held, err.Error())
			continue
		}
		return slot, nil
	}
	return nil, fmt.Errorf("no room for another real node on this host: %s", strings.Join(held, "; "))
}

var errHeld = errors.New("held by another process")

func lockPath(index int) string {
	return filepath.Join(lockDir, fmt.Sprintf("kube-testbed-%d.lock", index))
}

func tryLock(index int, who holder) (*Slot, error) {
	path := lockPath(index)
	file, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		file.Close()
		return nil, errHeld
	}
	if !current(file, path) {
		// Its last holder removed the file between our open and our lock.
		file.Close()
		return tryLock(index, who)
	}
	text, err := json.Marshal(who)
	if err != nil {
		return nil, err
	}
	if err := file.Truncate(0); err != nil {
		return nil, err
	}
	_, err = file.WriteAt(text, 0)
	return &Slot{index, file}, err
}

// current tells whether the path still names the open file.
func current(file *os.File, path string) bool {
	opened, err := file.Stat()
	if err != nil {
		return false
	}
	named, err := os.Stat(path)
	return err == nil && os.SameFile(opened, named)
}

func describeHolder(index int) string {
	var who holder
	text, err := os.ReadFile(lockPath(index))
	if err != nil || json.Unmarshal(text, &who) != nil {
		return fmt.Sprintf("place %d is held", index)
	}
	return fmt.Sprintf("place %d is held by pid %d (%s)", index, who.PID, who.Dir)
}

// Release gives the slot back.
func (s *Slot) Release() {
	_ = os.Remove(lockPath(s.index)) // A file that stays behind is an unlocked one: harmless.
	s.file.Close()
}

// overlap refuses a slot whose addresses this machine already uses for something else.
func (s *Slot) overlap() error {
	addresses, err := net.InterfaceAddrs()
	if err != nil {
		return err
	}
	link := s.Link()
	for _, a := range addresses {
		ours, ok := a.(*net.IPNet)
		if !ok {
			continue
		}
		for _, network := range []string{linkCIDR(s.index), s.PodCIDR(), s.ServiceCIDR()} {
			_, wanted, err := net.ParseCIDR(network)
			if err != nil {
				return err
			}
			if (wanted.Contains(ours.IP) || ours.Contains(wanted.IP)) && !linkHas(link, ours) {
				return fmt.Errorf("%s overlaps %s of this machine", network, ours)
			}
		}
	}
	return nil
}

// linkHas tells whether an address is the slot's own, left by a bed that crashed.
func linkHas(link string, address *net.IPNet) bool {
	own, err := net.InterfaceByName(link)
	if err != nil {
		return false
	}
	addresses, err := own.Addrs()
	if err != nil {
		return false
	}
	for _, a := range addresses {
		if a.String() == address.String() {
			return true
		}
	}
	return false
}

func linkCIDR(index int) string { return fmt.Sprintf("10.213.%d.0/30", index) }

// Link is the name of the host's end of the pair that leads to the node.
func (s *Slot) Link() string { return fmt.Sprintf("ktb%d", s.index) }

// HostIP is the host's address on that link: where pods reach the API server and other processes of the host.
func (s *Slot) HostIP() net.IP { return net.IPv4(10, 213, byte(s.index), 1) }

// NodeIP is the node's address on that link.
func (s *Slot) NodeIP() net.IP { return net.IPv4(10, 213, byte(s.index), 2) }

// PodCIDR is where the node's pods get their addresses from.
func (s *Slot) PodCIDR() string { return fmt.Sprintf("10.214.%d.0/24", s.index) }

// ServiceCIDR is where Services get their cluster IPs from; the host routes it to the node.
func (s *Slot) ServiceCIDR() string { return fmt.Sprintf("10.215.%d.0/20", s.index*16) }

// CgroupRoot is the parent of all the node's cgroups.
func (s *Slot) CgroupRoot() string { return fmt.Sprintf("/kube-testbed-%d", s.index) }
