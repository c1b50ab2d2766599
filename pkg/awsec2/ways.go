package awsec2

import (
	"net/http"
	"net/url"

	"aws-provider-executor/pkg/awsec2/ec2model"
)

// Ways returns where the calls to EC2 and STS go, and through which proxy. Nothing is sent.
func (r *Reader) Ways() ([]ec2model.Way, error) {
	endpoint, faults := r.of.endpointOf(ofEC2)
	if len(faults) > 0 {
		return nil, wrongEnvironment(faults)
	}
	identity, faults := r.of.endpointOf(ofSTS)
	if len(faults) > 0 {
		return nil, wrongEnvironment(faults)
	}
	return []ec2model.Way{r.way("EC2", endpoint), r.way("STS", identity)}, nil
}

func (r *Reader) way(service string, to *url.URL) ec2model.Way {
	w := ec2model.Way{Service: service, Endpoint: to.Scheme + "://" + to.Host,
		Local: isLocal(to.Hostname())}
	proxy, err := r.of.metadata.out.unlessLocal(&http.Request{URL: to})
	if err == nil && proxy != nil {
		w.Proxy, w.Variable = proxy.Scheme+"://"+proxy.Host, proxyVariable(to)
	}
	return w
}
