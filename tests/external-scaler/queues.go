package main

import "sync"

// queue is what a trigger is told.
type queue struct {
	// Length is the metric's value.
	Length float64 `json:"length"`
	// Active is what IsActive answers.
	Active bool `json:"active"`
	// Fails makes every call an error.
	Fails bool `json:"fails"`
	// Streams counts the open push streams.
	Streams int `json:"streams"`
	// Reads counts the calls of GetMetrics.
	Reads int `json:"reads"`
}

// queues holds every queue by name; one that nobody has set is empty and inactive.
type queues struct {
	mu      sync.Mutex
	byName  map[string]*queue
	streams map[string]map[chan bool]struct{}
}

func newQueues() *queues {
	return &queues{byName: map[string]*queue{}, streams: map[string]map[chan bool]struct{}{}}
}

// change calls f with a queue and returns the queue as f left it.
func (q *queues) change(name string, f func(*queue)) queue {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.byName[name] == nil {
		q.byName[name] = &queue{}
	}
	f(q.byName[name])
	out := *q.byName[name]
	out.Streams = len(q.streams[name])
	return out
}

// subscribe returns what is pushed to a queue until the returned function is called.
func (q *queues) subscribe(name string) (<-chan bool, func()) {
	pushed := make(chan bool, 16)
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.streams[name] == nil {
		q.streams[name] = map[chan bool]struct{}{}
	}
	q.streams[name][pushed] = struct{}{}
	return pushed, func() {
		q.mu.Lock()
		defer q.mu.Unlock()
		delete(q.streams[name], pushed)
	}
}

// push sends to every stream of a queue and returns their number.
func (q *queues) push(name string, active bool) int {
	q.mu.Lock()
	defer q.mu.Unlock()
	for stream := range q.streams[name] {
		stream <- active
	}
	return len(q.streams[name])
}
