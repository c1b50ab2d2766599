package azurecloud

import (
	"crypto/tls"
	"net/http"
	"net/url"
)

// newTransport is how Azure is reached: by the environment's proxy, but for what is plain HTTP.
// That is a machine's own service of identities alone, as the metadata service. A proxy that
// answered for it would have the machine's identity.
func newTransport() *http.Client {
	return &http.Client{Transport: &http.Transport{
		Proxy: proxyOf, TLSClientConfig: &tls.Config{MinVersion: tls.VersionTLS12},
		MaxIdleConnsPerHost: 10,
	}}
}

// proxyOf is the proxy of a request; nil where there is none.
func proxyOf(r *http.Request) (*url.URL, error) {
	if r.URL.Scheme != "https" {
		return nil, nil
	}
	return http.ProxyFromEnvironment(r)
}
