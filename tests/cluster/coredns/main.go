// The CoreDNS binary of the test bed: upstream's command with the four plugins that the bed's Corefile names. It
// forwards nothing, so pods resolve Services and nothing else.
package main

import (
	"github.com/coredns/coredns/core/dnsserver"
	"github.com/coredns/coredns/coremain"

	_ "github.com/coredns/coredns/plugin/errors"
	_ "github.com/coredns/coredns/plugin/health"
	_ "github.com/coredns/coredns/plugin/kubernetes"
	_ "github.com/coredns/coredns/plugin/ready"
)

// The list is the order in which plugins see a query.
func init() { dnsserver.Directives = []string{"errors", "health", "ready", "kubernetes"} }

func main() { coremain.Run() }
