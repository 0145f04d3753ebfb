package bed

import (
	"errors"
	"fmt"
	"net"
	"os"
	"syscall"

	"github.com/vishvananda/netlink"
)

// ownNetwork holds every address that beds add to a host: none of them counts as the machine's own.
var ownNetwork = net.IPNet{IP: net.IPv4(10, 213, 0, 0), Mask: net.CIDRMask(16, 32)}

// hostAddress is the first global IPv4 address of this machine, or "".
func hostAddress() (string, error) {
	addresses, err := net.InterfaceAddrs()
	if err != nil {
		return "", err
	}
	for _, a := range addresses {
		network, ok := a.(*net.IPNet)
		if ok && network.IP.To4() != nil && network.IP.IsGlobalUnicast() && !ownNetwork.Contains(network.IP) {
			return network.IP.String(), nil
		}
	}
	return "", nil
}

// addHostAddress puts an address of this bed's own on the loopback link, for a machine that has no other: the API
// refuses 127.0.0.0/8 in an EndpointSlice, and does not care which link an address belongs to. Without root it
// returns "".
func addHostAddress() (string, error) {
	if os.Geteuid() != 0 {
		return "", nil
	}
	for last := 1; last < 255; last++ {
		address := fmt.Sprintf("10.213.255.%d", last)
		err := changeLoopback(netlink.AddrAdd, address)
		if err == nil {
			return address, nil
		}
		if !errors.Is(err, syscall.EEXIST) {
			return "", fmt.Errorf("cannot add %s to the loopback link: %w", address, err)
		}
	}
	return "", errors.New("every address of 10.213.255.0/24 is in use")
}

// removeHostAddress undoes addHostAddress. An address that is gone already is fine.
func removeHostAddress(address string) error {
	err := changeLoopback(netlink.AddrDel, address)
	if errors.Is(err, syscall.EADDRNOTAVAIL) {
		return nil
	}
	return err
}

func changeLoopback(change func(netlink.Link, *netlink.Addr) error, address string) error {
	link, err := netlink.LinkByName("lo")
	if err != nil {
		return err
	}
	parsed, err := netlink.ParseAddr(address + "/32")
	if err != nil {
		return err
	}
	return change(link, parsed)
}
