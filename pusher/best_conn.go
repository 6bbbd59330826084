package pusher

import (
	"net/http"
	"time"
)

// keepConnections lets a transport use a connection for many requests.
func (c *Client) keepConnections(t *http.Transport) {
	t.DisableKeepAlives = false
	t.MaxIdleConnsPerHost = 16
	t.IdleConnTimeout = 0 // they are closed with the endpoint
	t.DisableCompression = true
	t.WriteBufferSize, t.ReadBufferSize = 16<<10, 8<<10
	t.ExpectContinueTimeout = 250 * time.Millisecond // most answer at once or never
}
