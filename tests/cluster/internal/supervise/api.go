package supervise

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"time"
)

// Serve answers for a group on a unix socket until the listener is closed. Only the owner may connect.
func Serve(socket string, group Group) (io.Closer, error) {
	if err := os.Remove(socket); err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, err
	}
	listener, err := net.Listen("unix", socket)
	if err != nil {
		return nil, err
	}
	if err := os.Chmod(socket, 0o600); err != nil {
		listener.Close()
		return nil, err
	}
	go func() { _ = http.Serve(listener, handler(group)) }() // Ends with the listener.
	return listener, nil
}

func handler(group Group) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /components", func(w http.ResponseWriter, _ *http.Request) {
		list, err := group.List()
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		_ = json.NewEncoder(w).Encode(list) // The peer has gone: nothing left to tell it.
	})
	mux.HandleFunc("POST /components", func(w http.ResponseWriter, r *http.Request) {
		var spec Spec
		err := json.NewDecoder(r.Body).Decode(&spec)
		if err == nil {
			err = group.Start(spec)
		}
		answer(w, err)
	})
	mux.HandleFunc("POST /components/{name}/{verb}", func(w http.ResponseWriter, r *http.Request) {
		answer(w, group.Do(r.PathValue("name"), Verb(r.PathValue("verb"))))
	})
	return mux
}

func answer(w http.ResponseWriter, err error) {
	if err != nil {
		http.Error(w, err.Error(), http.StatusConflict)
	}
}

// Client is a Group served by another process.
type Client struct{ http http.Client }

// Dial returns a client of the group served on a socket; it connects with the first call.
func Dial(socket string) *Client {
	dial := func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "unix", socket)
	}
	return &Client{http.Client{Timeout: 30 * time.Second, Transport: &http.Transport{DialContext: dial}}}
}

// Start implements Group.
func (c *Client) Start(spec Spec) error {
	body, err := json.Marshal(spec)
	if err != nil {
		return err
	}
	_, err = c.call(http.MethodPost, "/components", body)
	return err
}

// Do implements Group.
func (c *Client) Do(name string, verb Verb) error {
	_, err := c.call(http.MethodPost, "/components/"+name+"/"+string(verb), nil)
	return err
}

// List implements Group.
func (c *Client) List() ([]Status, error) {
	body, err := c.call(http.MethodGet, "/components", nil)
	if err != nil {
		return nil, err
	}
	var list []Status
	return list, json.Unmarshal(body, &list)
}

func (c *Client) call(method, path string, body []byte) ([]byte, error) {
	request, err := http.NewRequest(method, "http://bed"+path, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	response, err := c.http.Do(request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	out, err := io.ReadAll(response.Body)
	if err != nil {
		return nil, err
	}
	if response.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s", strings.TrimSpace(string(out)))
	}
	return out, nil
}
