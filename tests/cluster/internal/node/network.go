package node

import (
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"time"

	"github.com/vishvananda/netlink"
)

// inside is the name of the link to the host, seen from the node.
const inside = "eth0"

// linkPatience is how long the node's first process waits to be linked to the host.
const linkPatience = 20 * time.Second

// connect creates the pair of links between the host and the namespaces of a process, and routes pods and cluster
// IPs through it. Both end with the process.
func (s *Slot) connect(pid int) error {
	pair := &netlink.Veth{
		LinkAttrs: netlink.LinkAttrs{Name: s.Link()}, PeerName: inside, PeerNamespace: netlink.NsPid(pid),
	}
	if err := netlink.LinkAdd(pair); err != nil {
		return fmt.Errorf("cannot create the link %s: %w", s.Link(), err)
	}
	link, err := bringUp(s.Link(), s.HostIP())
	if err != nil {
		return err
	}
	for _, cidr := range []string{s.PodCIDR(), s.ServiceCIDR()} {
		_, network, err := net.ParseCIDR(cidr)
		if err != nil {
			return err
		}
		route := &netlink.Route{LinkIndex: link.Attrs().Index, Dst: network, Gw: s.NodeIP()}
		if err := netlink.RouteAdd(route); err != nil {
			return fmt.Errorf("cannot route %s to the node: %w", cidr, err)
		}
	}
	return nil
}

// disconnect removes the link of a node that is gone, if it is still there.
func (s *Slot) disconnect() error {
	link, err := netlink.LinkByName(s.Link())
	if errors.As(err, &netlink.LinkNotFoundError{}) {
		return nil
	}
	if err != nil {
		return err
	}
	err = netlink.LinkDel(link)
	// The kernel may have removed it in between.
	if _, gone := netlink.LinkByName(s.Link()); errors.As(gone, &netlink.LinkNotFoundError{}) {
		return nil
	}
	return err
}

// configureInside sets up the network of the namespaces this process is in.
func (s *Slot) configureInside() error {
	if err := awaitLink(inside); err != nil {
		return err
	}
	lo, err := netlink.LinkByName("lo")
	if err != nil {
		return err
	}
	if err := netlink.LinkSetUp(lo); err != nil {
		return err
	}
	link, err := bringUp(inside, s.NodeIP())
	if err != nil {
		return err
	}
	if err := netlink.RouteAdd(&netlink.Route{LinkIndex: link.Attrs().Index, Gw: s.HostIP()}); err != nil {
		return fmt.Errorf("cannot route to the host: %w", err)
	}
	// Pods are routed; traffic from a pod through a cluster IP to a pod on the same bridge must meet the rules too.
	for _, setting := range []string{"ipv4/ip_forward", "bridge/bridge-nf-call-iptables"} {
		err := os.WriteFile(filepath.Join("/proc/sys/net", setting), []byte("1"), 0)
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
	}
	return nil
}

func bringUp(name string, ip net.IP) (netlink.Link, error) {
	link, err := netlink.LinkByName(name)
	if err != nil {
		return nil, err
	}
	address := &netlink.Addr{IPNet: &net.IPNet{IP: ip, Mask: net.CIDRMask(30, 32)}}
	if err := netlink.AddrReplace(link, address); err != nil {
		return nil, fmt.Errorf("cannot give %s the address %s: %w", name, ip, err)
	}
	return link, netlink.LinkSetUp(link)
}

func awaitLink(name string) error {
	for deadline := time.Now().Add(linkPatience); ; time.Sleep(10 * time.Millisecond) {
		_, err := netlink.LinkByName(name)
		if err == nil || time.Now().After(deadline) {
			return err
		}
	}
}
