// A receiver of Tallyhook's webhooks with nothing but Go's own packages. See ../README.md.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"
)

const bodyBytesMax = 1 << 20

// Work that failed is tried again after this time, or when the next webhook comes.
const again = 30 * time.Second

type receiver struct {
	// More than one while you move from an old secret to a new one.
	secrets       [][]byte
	box           *inbox
	somethingCame chan struct{}
}

// ServeHTTP verifies, keeps and answers; the work comes later.
func (r *receiver) ServeHTTP(w http.ResponseWriter, request *http.Request) {
	if request.Method != http.MethodPost {
		refuse(w, http.StatusMethodNotAllowed, "webhooks are sent by POST")
		return
	}
	if request.ContentLength > bodyBytesMax {
		w.Header().Set("connection", "close")
		refuse(w, http.StatusRequestEntityTooLarge, "above 1 MiB")
		return
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, request.Body, bodyBytesMax))
	if err != nil {
		refuse(w, http.StatusRequestEntityTooLarge, "above 1 MiB, or cut short")
		return
	}
	if !verify(r.secrets, request.Header, body, time.Now()) {
		refuse(w, http.StatusUnauthorized, "no valid signature, or more than 5 minutes off")
		return
	}
	if err := r.box.keep(request.Header.Get("webhook-id"), body); err != nil {
		// Not a 2xx, so it is sent again.
		log.Printf("not kept: %v", err)
		w.WriteHeader(http.StatusInternalServerError)
		return
	}
	w.WriteHeader(http.StatusAccepted)
	select {
	case r.somethingCame <- struct{}{}:
	default:
	}
}

// refuse says what is wrong: Tallyhook keeps the answer to what it sent in vain.
func refuse(w http.ResponseWriter, status int, reason string) {
	log.Printf("refused with %d: %s", status, reason)
	http.Error(w, reason, status)
}

// workOff goes for ever through what is not done.
func (r *receiver) workOff() {
	for {
		for _, it := range r.box.takeOpen() {
			err := work(it.Body)
			if err == nil {
				// A crash just before this line repeats the work. With a database, mark it as
				// done in the transaction that does the work.
				err = r.box.markDone(it.ID)
			}
			if err != nil {
				log.Printf("%s failed, and is tried again: %v", it.ID, err)
				r.box.putBack(it)
			}
		}
		select {
		case <-r.somethingCame:
		case <-time.After(again):
		}
	}
}

// work is yours. What comes is { id, type, timestamp, data }.
func work(body []byte) error {
	var event struct {
		ID   string          `json:"id"`
		Type string          `json:"type"`
		Data json.RawMessage `json:"data"`
	}
	if err := json.Unmarshal(body, &event); err != nil {
		return err
	}
	fmt.Printf("worked %s %s\n", event.ID, event.Type)
	return nil
}

func setting(name, fallback string) string {
	if value := os.Getenv(name); value != "" {
		return value
	}
	return fallback
}

func main() {
	log.SetFlags(0)
	secrets, err := readSecrets(os.Getenv("WEBHOOK_SECRET"))
	if err != nil {
		log.Fatalf("WEBHOOK_SECRET must be the whsec_... of your endpoint: %v", err)
	}
	box, err := openInbox(setting("INBOX", "inbox.jsonl"))
	if err != nil {
		log.Fatal(err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:"+setting("PORT", "4000"))
	if err != nil {
		log.Fatal(err)
	}
	stopped, _ := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	receiver := &receiver{secrets: secrets, box: box, somethingCame: make(chan struct{}, 1)}
	go receiver.workOff()
	fmt.Printf("receiving at http://%s/\n", listener.Addr())

	server := &http.Server{Handler: receiver, ReadTimeout: 30 * time.Second, IdleTimeout: time.Minute}
	go func() {
		if err := server.Serve(listener); err != http.ErrServerClosed {
			log.Fatal(err)
		}
	}()
	<-stopped.Done()
	_ = server.Shutdown(context.Background())
}
