package main

import (
	"context"
	"net/url"
	"os/signal"
	"syscall"
	"time"

	"github.com/spf13/pflag"
	"go.etcd.io/etcd/server/v3/embed"
)

// slow is from when on etcd logs a request. The embedded default is zero, which logs every one.
const slow = 2 * time.Second

// runEtcd runs a single member that does not sync its disk: the bed is thrown away, a crash of the machine included.
func runEtcd(args []string) error {
	var dir, client, peer string
	flags := pflag.NewFlagSet("etcd", pflag.ContinueOnError)
	flags.StringVar(&dir, "data-dir", "", "data directory")
	flags.StringVar(&client, "client-url", "", "URL to serve clients at")
	flags.StringVar(&peer, "peer-url", "", "URL to serve peers at")
	if err := flags.Parse(args); err != nil {
		return err
	}
	clientURL, err := url.Parse(client)
	if err != nil {
		return err
	}
	peerURL, err := url.Parse(peer)
	if err != nil {
		return err
	}
	config := embed.NewConfig()
	config.Name, config.Dir, config.UnsafeNoFsync = "testbed", dir, true
	config.ListenClientUrls, config.AdvertiseClientUrls = []url.URL{*clientURL}, []url.URL{*clientURL}
	config.ListenPeerUrls, config.AdvertisePeerUrls = []url.URL{*peerURL}, []url.URL{*peerURL}
	config.InitialCluster = config.InitialClusterFromName(config.Name)
	config.LogLevel, config.LogOutputs = "warn", []string{"stderr"}
	config.WarningUnaryRequestDuration, config.WarningApplyDuration = slow, slow

	server, err := embed.StartEtcd(config)
	if err != nil {
		return err
	}
	defer server.Close()
	stop, cancel := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer cancel()
	select {
	case <-stop.Done():
		return nil
	case err := <-server.Err():
		return err
	}
}
