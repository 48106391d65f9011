package main

import (
	"bytes"
	"encoding/json"
	"os"
	"sync"
)

// entry is one line of the inbox's file: a webhook that came, or that it is done.
type entry struct {
	ID   string          `json:"id"`
	Body json.RawMessage `json:"body,omitempty"`
	Done bool            `json:"done,omitempty"`
}

// inbox is an append-only file of what has come and what is done of it. A webhook counts once.
type inbox struct {
	mutex sync.Mutex
	file  *os.File
	size  int64
	known map[string]bool
	open  []entry
}

// openInbox reads what earlier runs have left. A line that a crash cut short was never answered
// with 2xx, so it comes again, and is dropped here.
func openInbox(path string) (*inbox, error) {
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	box := &inbox{file: file, known: map[string]bool{}}
	done := map[string]bool{}
	var came []entry
	for {
		line, rest, isWhole := bytes.Cut(text[box.size:], []byte("\n"))
		if !isWhole {
			break
		}
		var it entry
		if err := json.Unmarshal(line, &it); err != nil {
			return nil, err
		}
		box.known[it.ID] = true
		if it.Done {
			done[it.ID] = true
		} else {
			came = append(came, it)
		}
		box.size = int64(len(text) - len(rest))
	}
	for _, it := range came {
		if !done[it.ID] {
			box.open = append(box.open, it)
		}
	}
	return box, file.Truncate(box.size)
}

// keep stores a webhook once. When it returns, a power cut does not lose it.
func (box *inbox) keep(id string, body []byte) error {
	box.mutex.Lock()
	defer box.mutex.Unlock()
	if box.known[id] {
		return nil
	}
	it := entry{ID: id, Body: body}
	if err := box.append(it); err != nil {
		return err
	}
	box.known[id] = true
	box.open = append(box.open, it)
	return nil
}

// takeOpen hands out what is not done. What fails goes back by putBack.
func (box *inbox) takeOpen() []entry {
	box.mutex.Lock()
	defer box.mutex.Unlock()
	taken := box.open
	box.open = nil
	return taken
}

func (box *inbox) putBack(it entry) {
	box.mutex.Lock()
	defer box.mutex.Unlock()
	box.open = append(box.open, it)
}

func (box *inbox) markDone(id string) error {
	box.mutex.Lock()
	defer box.mutex.Unlock()
	return box.append(entry{ID: id, Done: true})
}

func (box *inbox) append(it entry) error {
	line, err := json.Marshal(it)
	if err != nil {
		return err
	}
	line = append(line, '\n')
	_, err = box.file.WriteAt(line, box.size)
	if err == nil {
		err = box.file.Sync()
	}
	if err != nil {
		// Nothing of it may stay: the next line begins here.
		_ = box.file.Truncate(box.size)
		return err
	}
	box.size += int64(len(line))
	return nil
}
