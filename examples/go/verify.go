package main

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"
)

const tolerance = 5 * time.Minute

// verify tells whether one of the secrets has signed this webhook (Standard Webhooks 1.0).
// body is the bytes as they came: JSON that was parsed and written again has another signature.
func verify(secrets [][]byte, header http.Header, body []byte, now time.Time) bool {
	id, timestamp := header.Get("webhook-id"), header.Get("webhook-timestamp")
	seconds, err := strconv.ParseInt(timestamp, 10, 64)
	if id == "" || err != nil {
		return false
	}
	sentAt := time.Unix(seconds, 0)
	if sentAt.Before(now.Add(-tolerance)) || sentAt.After(now.Add(tolerance)) {
		return false
	}

	// While a secret is rotated there is one signature for each: "v1,<base64> v1,<base64>".
	signatures := strings.Split(header.Get("webhook-signature"), " ")
	for _, secret := range secrets {
		mac := hmac.New(sha256.New, secret)
		fmt.Fprintf(mac, "%s.%s.", id, timestamp)
		mac.Write(body)
		expected := "v1," + base64.StdEncoding.EncodeToString(mac.Sum(nil))
		for _, signature := range signatures {
			// In constant time: how long it takes does not tell how much of a guess was right.
			if hmac.Equal([]byte(signature), []byte(expected)) {
				return true
			}
		}
	}
	return false
}

// readSecrets reads "whsec_<base64>", or several of them with blanks between.
func readSecrets(text string) ([][]byte, error) {
	var secrets [][]byte
	for _, it := range strings.Fields(text) {
		encoded, isSecret := strings.CutPrefix(it, "whsec_")
		secret, err := base64.StdEncoding.DecodeString(encoded)
		if !isSecret || err != nil || len(secret) < 24 {
			return nil, fmt.Errorf("a secret is whsec_ and the base64 of 24 to 64 bytes")
		}
		secrets = append(secrets, secret)
	}
	if len(secrets) == 0 {
		return nil, fmt.Errorf("there is no secret")
	}
	return secrets, nil
}
