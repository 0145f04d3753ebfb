// Command external-scaler is a scaler of its own process, built on KEDA's own generated protocol code, that does as
// tests tell it over HTTP.
//
//	KEDA ─ gRPC ─► scaler ◄─ state ─ control ◄─ HTTP ─ test
//
// A trigger names its queue by the metadata key `queue`, and its target by `target`.
package main

import (
	"errors"
	"flag"
	"fmt"
	"log"
	"net"
	"net/http"

	pb "github.com/kedacore/keda/v2/pkg/scalers/externalscaler"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
)

func main() {
	address := flag.String("address", "127.0.0.1:0", "where KEDA asks (gRPC)")
	control := flag.String("control", "127.0.0.1:0", "where tests say what to answer (HTTP)")
	certificate := flag.String("tls-cert", "", "serve TLS with this certificate")
	key := flag.String("tls-key", "", "the key of --tls-cert")
	flag.Parse()
	if err := run(*address, *control, *certificate, *key); err != nil {
		log.Fatal(err)
	}
}

func run(address, control, certificate, key string) error {
	var options []grpc.ServerOption
	if certificate != "" {
		tls, err := credentials.NewServerTLSFromFile(certificate, key)
		if err != nil {
			return err
		}
		options = append(options, grpc.Creds(tls))
	}
	questions, err := net.Listen("tcp", address)
	if err != nil {
		return err
	}
	orders, err := net.Listen("tcp", control)
	if err != nil {
		return err
	}
	queues := newQueues()
	server := grpc.NewServer(options...)
	pb.RegisterExternalScalerServer(server, &scaler{queues: queues})
	ended := make(chan error, 2)
	go func() { ended <- server.Serve(questions) }()
	go func() { ended <- http.Serve(orders, newControl(queues)) }()
	fmt.Printf("serving on %s, controlled on %s\n", questions.Addr(), orders.Addr())
	return errors.Join(<-ended)
}
