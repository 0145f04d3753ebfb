// The program of the bed's own test pods: it serves, asks and looks up names, so that a test can see from the inside of
// a pod what works.
package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"
)

// patience bounds every question.
const patience = 10 * time.Second

// accountDir is where kubelet puts the credentials of a pod's ServiceAccount.
const accountDir = "/var/run/secrets/kubernetes.io/serviceaccount/"

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "probe:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	verbs := map[string]func(string) error{"serve": serve, "get": get, "lookup": lookup}
	if len(args) == 2 && verbs[args[0]] != nil {
		return verbs[args[0]](args[1])
	}
	return errors.New("usage: probe serve ADDRESS | get URL | lookup NAME")
}

// serve answers every request with the pod's name, and those to /burn after a moment of work.
func serve(address string) error {
	host, err := os.Hostname()
	if err != nil {
		return err
	}
	http.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, host) })
	http.HandleFunc("/burn", func(w http.ResponseWriter, _ *http.Request) {
		for end := time.Now().Add(50 * time.Millisecond); time.Now().Before(end); {
		}
		fmt.Fprintln(w, host)
	})
	stop, cancel := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer cancel()
	go func() {
		<-stop.Done()
		os.Exit(0)
	}()
	fmt.Println("serving on", address)
	return http.ListenAndServe(address, nil)
}

// get prints what a URL answers. The API server's answers are checked and asked for with the pod's ServiceAccount.
func get(url string) error {
	request, err := http.NewRequest(http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	client := &http.Client{Timeout: patience}
	if ca, err := os.ReadFile(accountDir + "ca.crt"); err == nil && strings.HasPrefix(url, "https:") {
		pool := x509.NewCertPool()
		pool.AppendCertsFromPEM(ca)
		client.Transport = &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}}
		token, err := os.ReadFile(accountDir + "token")
		if err != nil {
			return err
		}
		request.Header.Set("Authorization", "Bearer "+string(token))
	}
	response, err := client.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	fmt.Println(response.Status)
	_, err = io.Copy(os.Stdout, response.Body)
	return err
}

// lookup prints the addresses of a name.
func lookup(name string) error {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	addresses, err := net.DefaultResolver.LookupHost(ctx, name)
	if err != nil {
		return err
	}
	fmt.Println(strings.Join(addresses, "\n"))
	return nil
}
