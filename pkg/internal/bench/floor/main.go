// Command floor is what the executor is measured against: the standard library making the same
// signed calls to EC2, over HTTP/1.1 as the executor does. Before it changes anything it keeps what
// was there, in one synced file, as every program has to that is to undo it. It checks nothing,
// finds out about nothing and can't undo.
package main

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run() error {
	var request struct {
		Spec struct {
			Mode           string
			IdempotencyKey string
			Target         map[string]string
		}
	}
	if err := json.NewDecoder(os.Stdin).Decode(&request); err != nil {
		return err
	}
	target := request.Spec.Target
	address, _, _ := strings.Cut(target["address"], "/")
	c, err := newClient(target["region"])
	if err != nil {
		return err
	}
	byID := url.Values{"NetworkInterfaceId.1": {target["nicRef"]}}
	nic, err := c.describe(byID)
	if err != nil {
		return err
	}
	if request.Spec.Mode == "execute" {
		if err := keep(request.Spec.IdempotencyKey, nic); err != nil {
			return err
		}
		if _, err := c.call("AssignPrivateIpAddresses", url.Values{
			"NetworkInterfaceId": {target["nicRef"]}, "PrivateIpAddress.1": {address},
			"AllowReassignment": {"false"},
		}); err != nil {
			return err
		}
		nic, err = c.describe(byID)
	} else {
		_, err = c.describe(url.Values{
			"Filter.1.Name": {"subnet-id"}, "Filter.1.Value.1": {nic.Set[0].Subnet}, "MaxResults": {"1000"},
		})
	}
	if err != nil {
		return err
	}
	e := json.NewEncoder(os.Stdout)
	e.SetIndent("", "  ")
	return e.Encode(nic)
}

// keep puts what was there before on the disk.
func keep(key string, before interfaces) error {
	dir := os.Getenv("EXECUTOR_STATE_DIR") + "-floor"
	data, err := json.Marshal(before)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	path := filepath.Join(dir, sha(key))
	f, err := os.OpenFile(path+".tmp", os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	if err := os.Rename(path+".tmp", path); err != nil {
		return err
	}
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

type interfaces struct {
	Set []struct {
		ID        string `xml:"networkInterfaceId"`
		Subnet    string `xml:"subnetId"`
		Addresses []struct {
			Address string `xml:"privateIpAddress"`
			Primary bool   `xml:"primary"`
		} `xml:"privateIpAddressesSet>item"`
	} `xml:"networkInterfaceSet>item"`
}

type client struct {
	http                     *http.Client
	endpoint, region         string
	id, secret, sessionToken string
}

func newClient(region string) (*client, error) {
	c := &client{
		http: http.DefaultClient, endpoint: os.Getenv("AWS_ENDPOINT_URL_EC2"), region: region,
		id: os.Getenv("AWS_ACCESS_KEY_ID"), secret: os.Getenv("AWS_SECRET_ACCESS_KEY"),
		sessionToken: os.Getenv("AWS_SESSION_TOKEN"),
	}
	if bundle := os.Getenv("AWS_CA_BUNDLE"); bundle != "" {
		pem, err := os.ReadFile(bundle)
		if err != nil {
			return nil, err
		}
		pool := x509.NewCertPool()
		pool.AppendCertsFromPEM(pem)
		c.http = &http.Client{
			Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}}}
	}
	return c, nil
}

func (c *client) describe(parameters url.Values) (interfaces, error) {
	var found interfaces
	body, err := c.call("DescribeNetworkInterfaces", parameters)
	if err == nil {
		err = xml.Unmarshal(body, &found)
	}
	return found, err
}

func (c *client) call(operation string, parameters url.Values) ([]byte, error) {
	parameters.Set("Action", operation)
	parameters.Set("Version", "2016-11-15")
	body := parameters.Encode()
	request, err := http.NewRequest(http.MethodPost, c.endpoint+"/", strings.NewReader(body))
	if err != nil {
		return nil, err
	}
	c.sign(request, body)
	response, err := c.http.Do(request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(response.Body)
	if err == nil && response.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %s", response.Status, answer)
	}
	return answer, err
}

// sign adds an AWS Signature Version 4.
func (c *client) sign(r *http.Request, body string) {
	now := time.Now().UTC()
	date, stamp := now.Format("20060102"), now.Format("20060102T150405Z")
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded; charset=utf-8")
	r.Header.Set("X-Amz-Date", stamp)
	headers := "content-type:" + r.Header.Get("Content-Type") + "\nhost:" + r.URL.Host +
		"\nx-amz-date:" + stamp + "\n"
	signed := "content-type;host;x-amz-date"
	if c.sessionToken != "" {
		r.Header.Set("X-Amz-Security-Token", c.sessionToken)
		headers += "x-amz-security-token:" + c.sessionToken + "\n"
		signed += ";x-amz-security-token"
	}
	canonical := "POST\n/\n\n" + headers + "\n" + signed + "\n" + sha(body)
	scope := date + "/" + c.region + "/ec2/aws4_request"
	key := []byte("AWS4" + c.secret)
	for _, part := range []string{date, c.region, "ec2", "aws4_request",
		"AWS4-HMAC-SHA256\n" + stamp + "\n" + scope + "\n" + sha(canonical)} {
		mac := hmac.New(sha256.New, key)
		mac.Write([]byte(part))
		key = mac.Sum(nil)
	}
	r.Header.Set("Authorization",
		"AWS4-HMAC-SHA256 Credential="+c.id+"/"+scope+", SignedHeaders="+signed+", Signature="+
			hex.EncodeToString(key))
}

func sha(s string) string {
	sum := sha256.Sum256([]byte(s))
	return hex.EncodeToString(sum[:])
}
