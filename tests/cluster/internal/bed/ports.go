package bed

import (
	"fmt"
	"math/rand/v2"
	"net"
)

// The kernel gives outgoing connections ports from 32768 on (ip_local_port_range), so a port below cannot be taken
// between being found free here and being bound by its component.
const (
	firstPort = 20000
	lastPort  = 32767
)

// freePorts finds n different TCP ports that nothing listens on.
func freePorts(n int) ([]int, error) {
	var ports []int
	for range 1000 {
		port := firstPort + rand.IntN(lastPort-firstPort+1)
		listener, err := net.Listen("tcp", fmt.Sprintf(":%d", port))
		if err != nil {
			continue
		}
		// Held until all are found, so that no port comes twice.
		defer listener.Close()
		if ports = append(ports, port); len(ports) == n {
			return ports, nil
		}
	}
	return nil, fmt.Errorf("no %d free ports between %d and %d", n, firstPort, lastPort)
}
