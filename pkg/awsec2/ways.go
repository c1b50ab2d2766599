package awsec2

import (
	"context"
	"net/http"
	"net/url"

	"github.com/aws/aws-sdk-go-v2/service/sts"

	"aws-provider-executor/pkg/awsec2/ec2model"
)

// Ways returns where the calls to EC2 and STS go, and through which proxy. Nothing is sent.
func (r *Reader) Ways() ([]ec2model.Way, error) {
	endpoint, faults := r.of.endpointOf(ofEC2)
	if len(faults) > 0 {
		return nil, wrongEnvironment(faults)
	}
	identity, err := r.stsEndpoint()
	if err != nil {
		return nil, err
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

func (r *Reader) stsEndpoint() (*url.URL, error) {
	o := sts.NewFromConfig(r.of.cfg).Options()
	e, err := o.EndpointResolverV2.ResolveEndpoint(context.Background(), sts.EndpointParameters{
		Region: &o.Region, UseFIPS: fips(o.EndpointOptions.UseFIPSEndpoint),
		UseDualStack: dual(o.EndpointOptions.UseDualStackEndpoint), Endpoint: o.BaseEndpoint,
	})
	return &e.URI, err
}
