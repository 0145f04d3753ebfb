package main

import (
	"encoding/json"
	"fmt"
	"net/http"
)

// newControl serves
//
//	PUT  /queues/NAME             {"length": N, "active": B, "fails": B}
//	GET  /queues/NAME             the queue, with its streams and reads
//	POST /queues/NAME/push        sends "active" to every open stream; the body is their number
func newControl(q *queues) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("PUT /queues/{name}", func(w http.ResponseWriter, r *http.Request) {
		var want queue
		if err := json.NewDecoder(r.Body).Decode(&want); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		answer(w, q.change(r.PathValue("name"), func(now *queue) {
			now.Length, now.Active, now.Fails = want.Length, want.Active, want.Fails
		}))
	})
	mux.HandleFunc("GET /queues/{name}", func(w http.ResponseWriter, r *http.Request) {
		answer(w, q.change(r.PathValue("name"), func(*queue) {}))
	})
	mux.HandleFunc("POST /queues/{name}/push", func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprint(w, q.push(r.PathValue("name"), true))
	})
	return mux
}

func answer(w http.ResponseWriter, found queue) {
	// The asker may have gone: then nobody reads the error either.
	_ = json.NewEncoder(w).Encode(found)
}
