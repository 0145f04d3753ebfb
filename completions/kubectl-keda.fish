# Print an optspec for argparse to handle cmd's options that are independent of any subcommand.
function __fish_kubectl_keda_global_optspecs
    string join \n kubeconfig= context= cluster= user= n/namespace= s/server= token= as= as-group= as-uid= certificate-authority= client-certificate= client-key= insecure-skip-tls-verify= tls-server-name= request-timeout= h/help
end

function __fish_kubectl_keda_needs_command
    # Figure out if the current invocation already has a command.
    set -l cmd (commandline -opc)
    set -e cmd[1]
    argparse -s (__fish_kubectl_keda_global_optspecs) -- $cmd 2>/dev/null
    or return
    if set -q argv[1]
        # Also print the command, so this can be used to figure out what it is.
        echo $argv[1]
        return 1
    end
    return 0
end

function __fish_kubectl_keda_using_subcommand
    set -l cmd (__fish_kubectl_keda_needs_command)
    test -z "$cmd"
    and return 1
    contains -- $cmd[1] $argv
end

complete -c kubectl-keda -n "__fish_kubectl_keda_needs_command" -l kubeconfig -d 'Kubeconfig file to use instead of $KUBECONFIG or ~/.kube/config' -r -F
complete -c kubectl-keda -n "__fish_kubectl_keda_needs_command" -l context -d 'Context of the kubeconfig to use' -r
complete -c kubectl-keda -n "__fish_kubectl_keda_needs_command" -l cluster -d 'Cluster of the kubeconfig to use' -r
complete -c kubectl-keda -n "__fish_kubectl_keda_needs_command" -l user -d 'User of the kubeconfig to use' -r
complete -c kubectl-keda -n "__fish_kubectl_keda_needs_command" -s n -l namespace -d 'Namespace to work in, instead of the context\'s' -r
complete -c kubectl-keda -n "__fish_kubectl_keda_needs_command" -s s -l server -d 'Address of the API server' -r
complete -c kubectl-keda -n "__fish_kubectl_keda_needs_command" -l token -d 'Bearer token to show to the API server' -r
complete -c kubectl-keda -n "__fish_kubectl_keda_needs_command" -l as -d 'User to act as' -r
complete -c kubectl-keda -n "__fish_kubectl_keda_needs_command" -l as-group -d 'Group to act as a member of; may be given several times' -r
complete -c kubectl-keda -n "__fish_kubectl_keda_needs_command" -l as-uid -d 'Uid to act as' -r
complete -c kubectl-keda -n "__fish_kubectl_keda_needs_command" -l certificate-authority -d 'File with the certificates of the authority that signed the API server\'s certificate' -r
complete -c kubectl-keda -n "__fish_kubectl_keda_needs_command" -l client-certificate -d 'File with the client certificate' -r
complete -c kubectl-keda -n "__fish_kubectl_keda_needs_command" -l client-key -d 'File with the key of the client certificate' -r
complete -c kubectl-keda -n "__fish_kubectl_keda_needs_command" -l insecure-skip-tls-verify -d 'Do not check the API server\'s certificate, which lets anybody in between read and change everything' -r -f -a "true\t''
false\t''"
complete -c kubectl-keda -n "__fish_kubectl_keda_needs_command" -l tls-server-name -d 'Name to expect in the API server\'s certificate, instead of its host name' -r
complete -c kubectl-keda -n "__fish_kubectl_keda_needs_command" -l request-timeout -d 'How long one request may take, such as `10s` or `2m`; `0` means for ever' -r
complete -c kubectl-keda -n "__fish_kubectl_keda_needs_command" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c kubectl-keda -n "__fish_kubectl_keda_needs_command" -f -a "install" -d 'Install the controller, the metrics adapter and the custom resources'
complete -c kubectl-keda -n "__fish_kubectl_keda_needs_command" -f -a "upgrade" -d 'Bring an installation to this version'
complete -c kubectl-keda -n "__fish_kubectl_keda_needs_command" -f -a "uninstall" -d 'Remove an installation'
complete -c kubectl-keda -n "__fish_kubectl_keda_needs_command" -f -a "status" -d 'Show what is scaled, by what, and why'
complete -c kubectl-keda -n "__fish_kubectl_keda_needs_command" -f -a "explain" -d 'Tell what happened to one object, why, and what comes next'
complete -c kubectl-keda -n "__fish_kubectl_keda_needs_command" -f -a "connections" -d 'Show the connections to event sources, and who shares them'
complete -c kubectl-keda -n "__fish_kubectl_keda_needs_command" -f -a "validate" -d 'Find the mistakes in manifests, without a cluster'
complete -c kubectl-keda -n "__fish_kubectl_keda_needs_command" -f -a "dry-run" -d 'Ask the triggers now and tell what would follow, without writing anything'
complete -c kubectl-keda -n "__fish_kubectl_keda_needs_command" -f -a "simulate" -d 'Tell what a manifest would have done with a recorded load, or a made-up one'
complete -c kubectl-keda -n "__fish_kubectl_keda_needs_command" -f -a "record" -d 'Write down what the triggers say over time, as a series for `simulate`'
complete -c kubectl-keda -n "__fish_kubectl_keda_needs_command" -f -a "tune" -d 'Search thresholds, windows and bounds that would have done better on a load'
complete -c kubectl-keda -n "__fish_kubectl_keda_needs_command" -f -a "scaffold" -d 'Print a commented manifest for a scaler type'
complete -c kubectl-keda -n "__fish_kubectl_keda_needs_command" -f -a "scalers" -d 'List the scaler types, or the settings of one'
complete -c kubectl-keda -n "__fish_kubectl_keda_needs_command" -f -a "version" -d 'Show the versions of this command, the cluster and the controller'
complete -c kubectl-keda -n "__fish_kubectl_keda_needs_command" -f -a "completion" -d 'Print the completion script of a shell'
complete -c kubectl-keda -n "__fish_kubectl_keda_needs_command" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c kubectl-keda -n "__fish_kubectl_keda_using_subcommand install" -l registry -d 'Registry that the images come from, such as `registry.example:5000/keda`' -r
complete -c kubectl-keda -n "__fish_kubectl_keda_using_subcommand install" -l image-tag -d 'Tag of the images; the version of this command by default' -r
complete -c kubectl-keda -n "__fish_kubectl_keda_using_subcommand install" -l image-pull-secret -d 'Secret in the installation\'s namespace with the credentials of the registry' -r
complete -c kubectl-keda -n "__fish_kubectl_keda_using_subcommand install" -l image-pull-policy -d 'When the kubelet pulls the images' -r -f -a "Always\t'Each time a pod starts'
IfNotPresent\t'When the node does not have it'
Never\t'Never: somebody else puts it on the node'"
complete -c kubectl-keda -n "__fish_kubectl_keda_using_subcommand install" -l replicas -d 'Replicas of controller and adapter, each; one controller leads, the others stand by' -r
complete -c kubectl-keda -n "__fish_kubectl_keda_using_subcommand install" -l timeout -d 'How long to wait, such as `90s` or `5m`' -r
complete -c kubectl-keda -n "__fish_kubectl_keda_using_subcommand install" -l dry-run -d 'Write nothing: `client` only renders, `server` lets the API server check every object' -r -f -a "client\t'Only render; the cluster is not asked'
server\t'Let the API server check every object and write none'"
complete -c kubectl-keda -n "__fish_kubectl_keda_using_subcommand install" -s o -l output -d 'Form of the answer: yaml, json, name or jsonpath=TEMPLATE print the objects' -r
complete -c kubectl-keda -n "__fish_kubectl_keda_using_subcommand install" -l kubeconfig -d 'Kubeconfig file to use instead of $KUBECONFIG or ~/.kube/config' -r -F
complete -c kubectl-keda -n "__fish_kubectl_keda_using_subcommand install" -l context -d 'Context of the kubeconfig to use' -r
complete -c kubectl-keda -n "__fish_kubectl_keda_using_subcommand install" -l cluster -d 'Cluster of the kubeconfig to use' -r
complete -c kubectl-keda -n "__fish_kubectl_keda_using_subcommand install" -l user -d 'User of the kubeconfig to use' -r
complete -c kubectl-keda -n "__fish_kubectl_keda_using_subcommand install" -s n -l namespace -d 'Namespace to work in, instead of the context\'s' -r
complete -c kubectl-keda -n "__fish_kubectl_keda_using_subcommand install" -s s -l server -d 'Address of the API server' -r
complete -c kubectl-keda -n "__fish_kubectl_keda_using_subcommand install" -l token -d 'Bearer token to show to the API server' -r
complete -c kubectl-keda -n "__fish_kubectl_keda_using_subcommand install" -l as -d 'User to act as' -r
complete -c kubectl-keda -n "__fish_kubectl_keda_using_subcommand install" -l as-group -d 'Group to act as a member of; may be given several times' -r
complete -c kubectl-keda -n "__fish_kubectl_keda_using_subcommand install" -l as-uid -d 'Uid to act as' -r
complete -c kubectl-keda -n "__fish_kubectl_keda_using_subcommand install" -l certificate-authority -d 'File with the certificates of the authority that signed the API server\'s certificate' -r
complete -c kubectl-keda -n "__fish_kubectl_keda_using_subcommand install" -l client-certificate -d 'File with the client certificate' -r
complete -c kubectl-keda -n "__fish_kubectl_keda_using_subcommand install" -l client-key -d 'File with the key of the client certificate' -r
complete -c kubectl-keda -n "__fish_kubectl_keda_using_subcommand install" -l insecure-skip-tls-verify -d 'Do not check the API server\'s certificate, which lets anybody in between read and change everything' -r -f -a "true\t''
false\t''"
complete -c kubectl-keda -n "__fish_kubectl_keda_using_subcommand install" -l tls-server-name -d 'Name to expect in the API server\'s certificate, instead of its host name' -r
complete -c kubectl-keda -n "__fish_kubectl_keda_using_subcommand install" -l request-timeout -d 'How long one request may take, such as `10s` or `2m`; `0` means for ever' -r
complete -c kubectl-keda -n "__fish_kubectl_keda_using_subcommand install" -l wait -d 'Wait until everything is up and the API server reads metrics; say what is missing, and why'
complete -c kubectl-keda -n "__fish_kubectl_keda_using_subcommand install" -l replace -d 'Replace what somebody else installed under these names: the Deployments of another KEDA, an APIService that leads elsewhere'
complete -c kubectl-keda -n "__fish_kubectl_keda_using_subcommand install" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c kubectl-keda -n "__fish_kubectl_keda_using_subcommand upgrade" -l registry -d 'Registry that the images come from, such as `registry.example:5000/keda`' -r
complete -c kubectl-keda -n "__fish_kubectl_keda_using_subcommand upgrade" -l image-tag -d 'Tag of the images; the version of this command by default' -r
complete -c kubectl-keda -n "__fish_kubectl_keda_using_subcommand upgrade" -l image-pull-secret -d 'Secret in the installation\'s namespace with the credentials of the registry' -r
complete -c kubectl-keda -n "__fish_kubectl_keda_using_subcommand upgrade" -l image-pull-policy -d 'When the kubelet pulls the images' -r -f -a "Always\t'Each time a pod starts'
IfNotPresent\t'When the node does not have it'
Never\t'Never: somebody else puts it on the node'"
complete -c kubectl-keda -n "__fish_kubectl_keda_using_subcommand upgrade" -l replicas -d 'Replicas of controller and adapter, each; one controller leads, the others stand by' -r
complete -c kubectl-keda -n "__fish_kubectl_keda_using_subcommand upgrade" -l timeout -d 'How long to wait, such as `90s` or `5m`' -r
complete -c kubectl-keda -n "__fish_kubectl_keda_using_subcommand upgrade" -l dry-run -d 'Write nothing: `client` only renders, `server` lets the API server check every object' -r -f -a "client\t'Only render; the cluster is not asked'
server\t'Let the API server check every object and write none'"
complete -c kubectl-keda -n "__fish_kubectl_keda_using_subcommand upgrade" -s o -l output -d 'Form of the answer: yaml, json, name or jsonpath=TEMPLATE print the objects' -r
complete -c kubectl-keda -n "__fish_kubectl_keda_using_subcommand upgrade" -l kubeconfig -d 'Kubeconfig file to use instead of $KUBECONFIG or ~/.kube/config' -r -F
complete -c kubectl-keda -n "__fish_kubectl_keda_using_subcommand upgrade" -l context -d 'Context of the kubeconfig to use' -r
complete -c kubectl-keda -n "__fish_kubectl_keda_using_subcommand upgrade" -l cluster -d 'Cluster of the kubeconfig to use' -r
complete -c kubectl-keda -n "__fish_kubectl_keda_using_subcommand upgrade" -l user -d 'User of the kubeconfig to use' -r
complete -c kubectl-keda -n "__fish_kubectl_keda_using_subcommand upgrade" -s n -l namespace -d 'Namespace to work in, instead of the context\'s' -r
complete -c kubectl-keda -n "__fish_kubectl_keda_using_subcommand upgrade" -s s -l server -d 'Address of the API server' -r
complete -c kubectl-keda -n "__fish_kubectl_keda_using_subcommand upgrade" -l token -d 'Bearer token to show to the API server' -r
complete -c kubectl-keda -n "__fish_kubectl_keda_using_subcommand upgrade" -l as -d 'User to act as' -r
complete -c kubectl-keda -n "__fish_kubectl_keda_using_subcommand upgrade" -l as-group -d 'Group to act as a member of; may be given several times' -r
complete -c kubectl-keda -n "__fish_kubectl_keda_using_subcommand upgrade" -l as-uid -d 'Uid to act as' -r
complete -c kubectl-keda -n "__fish_kubectl_keda_using_subcommand upgrade" -l certificate-authority -d 'File with the certificates of the authority that signed the API server\'s certificate' -r
complete -c kubectl-keda -n "__fish_kubectl_keda_using_subcommand upgrade" -l client-certificate -d 'File with the client certificate' -r
complete -c kubectl-keda -n "__fish_kubectl_keda_using_subcommand upgrade" -l client-key -d 'File with the key of the client certificate' -r
complete -c kubectl-keda -n "__fish_kubectl_keda_using_subcommand upgrade" -l insecure-skip-tls-verify -d 'Do not check the API server\'s certificate, which lets anybody in between read and change everything' -r -f -a "true\t''
false\t''"
complete -c kubectl-keda -n "__fish_kubectl_keda_using_subcommand upgrade" -l tls-server-name -d 'Name to expect in the API server\'s certificate, instead of its host name' -r
complete -c kubectl-keda -n "__fish_kubectl_keda_using_subcommand upgrade" -l request-timeout -d 'How long one request may take, such as `10s` or `2m`; `0` means for ever' -r
complete -c kubectl-keda -n "__fish_kubectl_keda_using_subcommand upgrade" -l wait -d 'Wait until everything is up and the API server reads metrics; say what is missing, and why'
complete -c kubectl-keda -n "__fish_kubectl_keda_using_subcommand upgrade" -l replace -d 'Replace what somebody else installed under these names: the Deployments of another KEDA, an APIService that leads elsewhere'
complete -c kubectl-keda -n "__fish_kubectl_keda_using_subcommand upgrade" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c kubectl-keda -n "__fish_kubectl_keda_using_subcommand uninstall" -l timeout -d 'How long all of it may take, such as `90s` or `5m`' -r
complete -c kubectl-keda -n "__fish_kubectl_keda_using_subcommand uninstall" -l kubeconfig -d 'Kubeconfig file to use instead of $KUBECONFIG or ~/.kube/config' -r -F
complete -c kubectl-keda -n "__fish_kubectl_keda_using_subcommand uninstall" -l context -d 'Context of the kubeconfig to use' -r
complete -c kubectl-keda -n "__fish_kubectl_keda_using_subcommand uninstall" -l cluster -d 'Cluster of the kubeconfig to use' -r
complete -c kubectl-keda -n "__fish_kubectl_keda_using_subcommand uninstall" -l user -d 'User of the kubeconfig to use' -r
complete -c kubectl-keda -n "__fish_kubectl_keda_using_subcommand uninstall" -s n -l namespace -d 'Namespace to work in, instead of the context\'s' -r
complete -c kubectl-keda -n "__fish_kubectl_keda_using_subcommand uninstall" -s s -l server -d 'Address of the API server' -r
complete -c kubectl-keda -n "__fish_kubectl_keda_using_subcommand uninstall" -l token -d 'Bearer token to show to the API server' -r
complete -c kubectl-keda -n "__fish_kubectl_keda_using_subcommand uninstall" -l as -d 'User to act as' -r
complete -c kubectl-keda -n "__fish_kubectl_keda_using_subcommand uninstall" -l as-group -d 'Group to act as a member of; may be given several times' -r
complete -c kubectl-keda -n "__fish_kubectl_keda_using_subcommand uninstall" -l as-uid -d 'Uid to act as' -r
complete -c kubectl-keda -n "__fish_kubectl_keda_using_subcommand uninstall" -l certificate-authority -d 'File with the certificates of the authority that signed the API server\'s certificate' -r
complete -c kubectl-keda -n "__fish_kubectl_keda_using_subcommand uninstall" -l client-certificate -d 'File with the client certificate' -r
complete -c kubectl-keda -n "__fish_kubectl_keda_using_subcommand uninstall" -l client-key -d 'File with the key of the client certificate' -r
complete -c kubectl-keda -n "__fish_kubectl_keda_using_subcommand uninstall" -l insecure-skip-tls-verify -d 'Do not check the API server\'s certificate, which lets anybody in between read and change everything' -r -f -a "true\t''
false\t''"
complete -c kubectl-keda -n "__fish_kubectl_keda_using_subcommand uninstall" -l tls-server-name -d 'Name to expect in the API server\'s certificate, instead of its host name' -r
complete -c kubectl-keda -n "__fish_kubectl_keda_using_subcommand uninstall" -l request-timeout -d 'How long one request may take, such as `10s` or `2m`; `0` means for ever' -r
complete -c kubectl-keda -n "__fish_kubectl_keda_using_subcommand uninstall" -l keep-crds -d 'Keep the custom resource definitions and every ScaledObject, ScaledJob and TriggerAuthentication'
complete -c kubectl-keda -n "__fish_kubectl_keda_using_subcommand uninstall" -s y -l yes -d 'Do not ask before custom resources are deleted'
complete -c kubectl-keda -n "__fish_kubectl_keda_using_subcommand uninstall" -l dry-run -d 'Remove nothing: list what would go, and let the API server check that you may'
complete -c kubectl-keda -n "__fish_kubectl_keda_using_subcommand uninstall" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c kubectl-keda -n "__fish_kubectl_keda_using_subcommand status" -s l -l selector -d 'Show only objects whose labels match' -r
complete -c kubectl-keda -n "__fish_kubectl_keda_using_subcommand status" -s o -l output -d 'How to print them: table, wide, json, yaml, name or jsonpath=TEMPLATE' -r
complete -c kubectl-keda -n "__fish_kubectl_keda_using_subcommand status" -l file -d 'Read objects from a file instead of a cluster' -r -F
complete -c kubectl-keda -n "__fish_kubectl_keda_using_subcommand status" -l keda-namespace -d 'Namespace of the installation, where the APIService does not tell' -r
complete -c kubectl-keda -n "__fish_kubectl_keda_using_subcommand status" -l debug-address -d 'Address of a controller that runs outside the cluster, instead of a forwarded port' -r
complete -c kubectl-keda -n "__fish_kubectl_keda_using_subcommand status" -l debug-ca -d 'File with the CA of the controller\'s certificate, instead of the APIService\'s caBundle' -r -F
complete -c kubectl-keda -n "__fish_kubectl_keda_using_subcommand status" -l debug-token -d 'Token to show: a short-lived one of the service account `keda-debug`, or your own' -r -f -a "minted\t'Made for this call, worthless elsewhere'
own\t'The one the kubeconfig gives you'"
complete -c kubectl-keda -n "__fish_kubectl_keda_using_subcommand status" -l kubeconfig -d 'Kubeconfig file to use instead of $KUBECONFIG or ~/.kube/config' -r -F
complete -c kubectl-keda -n "__fish_kubectl_keda_using_subcommand status" -l context -d 'Context of the kubeconfig to use' -r
complete -c kubectl-keda -n "__fish_kubectl_keda_using_subcommand status" -l cluster -d 'Cluster of the kubeconfig to use' -r
complete -c kubectl-keda -n "__fish_kubectl_keda_using_subcommand status" -l user -d 'User of the kubeconfig to use' -r
complete -c kubectl-keda -n "__fish_kubectl_keda_using_subcommand status" -s n -l namespace -d 'Namespace to work in, instead of the context\'s' -r
complete -c kubectl-keda -n "__fish_kubectl_keda_using_subcommand status" -s s -l server -d 'Address of the API server' -r
complete -c kubectl-keda -n "__fish_kubectl_keda_using_subcommand status" -l token -d 'Bearer token to show to the API server' -r
complete -c kubectl-keda -n "__fish_kubectl_keda_using_subcommand status" -l as -d 'User to act as' -r
complete -c kubectl-keda -n "__fish_kubectl_keda_using_subcommand status" -l as-group -d 'Group to act as a member of; may be given several times' -r
complete -c kubectl-keda -n "__fish_kubectl_keda_using_subcommand status" -l as-uid -d 'Uid to act as' -r
complete -c kubectl-keda -n "__fish_kubectl_keda_using_subcommand status" -l certificate-authority -d 'File with the certificates of the authority that signed the API server\'s certificate' -r
complete -c kubectl-keda -n "__fish_kubectl_keda_using_subcommand status" -l client-certificate -d 'File with the client certificate' -r
complete -c kubectl-keda -n "__fish_kubectl_keda_using_subcommand status" -l client-key -d 'File with the key of the client certificate' -r
complete -c kubectl-keda -n "__fish_kubectl_keda_using_subcommand status" -l insecure-skip-tls-verify -d 'Do not check the API server\'s certificate, which lets anybody in between read and change everything' -r -f -a "true\t''
false\t''"
complete -c kubectl-keda -n "__fish_kubectl_keda_using_subcommand status" -l tls-server-name -d 'Name to expect in the API server\'s certificate, instead of its host name' -r
complete -c kubectl-keda -n "__fish_kubectl_keda_using_subcommand status" -l request-timeout -d 'How long one request may take, such as `10s` or `2m`; `0` means for ever' -r
complete -c kubectl-keda -n "__fish_kubectl_keda_using_subcommand status" -s A -l all-namespaces -d 'Show the objects of all namespaces'
complete -c kubectl-keda -n "__fish_kubectl_keda_using_subcommand status" -s w -l watch -d 'Go on showing, as things change'
complete -c kubectl-keda -n "__fish_kubectl_keda_using_subcommand status" -l no-headers -d 'Leave the headings out'
complete -c kubectl-keda -n "__fish_kubectl_keda_using_subcommand status" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c kubectl-keda -n "__fish_kubectl_keda_using_subcommand explain" -s o -l output -d 'How to print it: table, json, yaml or jsonpath=TEMPLATE' -r
complete -c kubectl-keda -n "__fish_kubectl_keda_using_subcommand explain" -l keda-namespace -d 'Namespace of the installation, where the APIService does not tell' -r
complete -c kubectl-keda -n "__fish_kubectl_keda_using_subcommand explain" -l debug-address -d 'Address of a controller that runs outside the cluster, instead of a forwarded port' -r
complete -c kubectl-keda -n "__fish_kubectl_keda_using_subcommand explain" -l debug-ca -d 'File with the CA of the controller\'s certificate, instead of the APIService\'s caBundle' -r -F
complete -c kubectl-keda -n "__fish_kubectl_keda_using_subcommand explain" -l debug-token -d 'Token to show: a short-lived one of the service account `keda-debug`, or your own' -r -f -a "minted\t'Made for this call, worthless elsewhere'
own\t'The one the kubeconfig gives you'"
complete -c kubectl-keda -n "__fish_kubectl_keda_using_subcommand explain" -l kubeconfig -d 'Kubeconfig file to use instead of $KUBECONFIG or ~/.kube/config' -r -F
complete -c kubectl-keda -n "__fish_kubectl_keda_using_subcommand explain" -l context -d 'Context of the kubeconfig to use' -r
complete -c kubectl-keda -n "__fish_kubectl_keda_using_subcommand explain" -l cluster -d 'Cluster of the kubeconfig to use' -r
complete -c kubectl-keda -n "__fish_kubectl_keda_using_subcommand explain" -l user -d 'User of the kubeconfig to use' -r
complete -c kubectl-keda -n "__fish_kubectl_keda_using_subcommand explain" -s n -l namespace -d 'Namespace to work in, instead of the context\'s' -r
complete -c kubectl-keda -n "__fish_kubectl_keda_using_subcommand explain" -s s -l server -d 'Address of the API server' -r
complete -c kubectl-keda -n "__fish_kubectl_keda_using_subcommand explain" -l token -d 'Bearer token to show to the API server' -r
complete -c kubectl-keda -n "__fish_kubectl_keda_using_subcommand explain" -l as -d 'User to act as' -r
complete -c kubectl-keda -n "__fish_kubectl_keda_using_subcommand explain" -l as-group -d 'Group to act as a member of; may be given several times' -r
complete -c kubectl-keda -n "__fish_kubectl_keda_using_subcommand explain" -l as-uid -d 'Uid to act as' -r
complete -c kubectl-keda -n "__fish_kubectl_keda_using_subcommand explain" -l certificate-authority -d 'File with the certificates of the authority that signed the API server\'s certificate' -r
complete -c kubectl-keda -n "__fish_kubectl_keda_using_subcommand explain" -l client-certificate -d 'File with the client certificate' -r
complete -c kubectl-keda -n "__fish_kubectl_keda_using_subcommand explain" -l client-key -d 'File with the key of the client certificate' -r
complete -c kubectl-keda -n "__fish_kubectl_keda_using_subcommand explain" -l insecure-skip-tls-verify -d 'Do not check the API server\'s certificate, which lets anybody in between read and change everything' -r -f -a "true\t''
false\t''"
complete -c kubectl-keda -n "__fish_kubectl_keda_using_subcommand explain" -l tls-server-name -d 'Name to expect in the API server\'s certificate, instead of its host name' -r
complete -c kubectl-keda -n "__fish_kubectl_keda_using_subcommand explain" -l request-timeout -d 'How long one request may take, such as `10s` or `2m`; `0` means for ever' -r
complete -c kubectl-keda -n "__fish_kubectl_keda_using_subcommand explain" -l records -d 'Print every record of the ledger, not only what acted'
complete -c kubectl-keda -n "__fish_kubectl_keda_using_subcommand explain" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c kubectl-keda -n "__fish_kubectl_keda_using_subcommand connections" -s o -l output -d 'How to print them: table, wide, json, yaml, name or jsonpath=TEMPLATE' -r
complete -c kubectl-keda -n "__fish_kubectl_keda_using_subcommand connections" -l keda-namespace -d 'Namespace of the installation, where the APIService does not tell' -r
complete -c kubectl-keda -n "__fish_kubectl_keda_using_subcommand connections" -l debug-address -d 'Address of a controller that runs outside the cluster, instead of a forwarded port' -r
complete -c kubectl-keda -n "__fish_kubectl_keda_using_subcommand connections" -l debug-ca -d 'File with the CA of the controller\'s certificate, instead of the APIService\'s caBundle' -r -F
complete -c kubectl-keda -n "__fish_kubectl_keda_using_subcommand connections" -l debug-token -d 'Token to show: a short-lived one of the service account `keda-debug`, or your own' -r -f -a "minted\t'Made for this call, worthless elsewhere'
own\t'The one the kubeconfig gives you'"
complete -c kubectl-keda -n "__fish_kubectl_keda_using_subcommand connections" -l kubeconfig -d 'Kubeconfig file to use instead of $KUBECONFIG or ~/.kube/config' -r -F
complete -c kubectl-keda -n "__fish_kubectl_keda_using_subcommand connections" -l context -d 'Context of the kubeconfig to use' -r
complete -c kubectl-keda -n "__fish_kubectl_keda_using_subcommand connections" -l cluster -d 'Cluster of the kubeconfig to use' -r
complete -c kubectl-keda -n "__fish_kubectl_keda_using_subcommand connections" -l user -d 'User of the kubeconfig to use' -r
complete -c kubectl-keda -n "__fish_kubectl_keda_using_subcommand connections" -s n -l namespace -d 'Namespace to work in, instead of the context\'s' -r
complete -c kubectl-keda -n "__fish_kubectl_keda_using_subcommand connections" -s s -l server -d 'Address of the API server' -r
complete -c kubectl-keda -n "__fish_kubectl_keda_using_subcommand connections" -l token -d 'Bearer token to show to the API server' -r
complete -c kubectl-keda -n "__fish_kubectl_keda_using_subcommand connections" -l as -d 'User to act as' -r
complete -c kubectl-keda -n "__fish_kubectl_keda_using_subcommand connections" -l as-group -d 'Group to act as a member of; may be given several times' -r
complete -c kubectl-keda -n "__fish_kubectl_keda_using_subcommand connections" -l as-uid -d 'Uid to act as' -r
complete -c kubectl-keda -n "__fish_kubectl_keda_using_subcommand connections" -l certificate-authority -d 'File with the certificates of the authority that signed the API server\'s certificate' -r
complete -c kubectl-keda -n "__fish_kubectl_keda_using_subcommand connections" -l client-certificate -d 'File with the client certificate' -r
complete -c kubectl-keda -n "__fish_kubectl_keda_using_subcommand connections" -l client-key -d 'File with the key of the client certificate' -r
complete -c kubectl-keda -n "__fish_kubectl_keda_using_subcommand connections" -l insecure-skip-tls-verify -d 'Do not check the API server\'s certificate, which lets anybody in between read and change everything' -r -f -a "true\t''
false\t''"
complete -c kubectl-keda -n "__fish_kubectl_keda_using_subcommand connections" -l tls-server-name -d 'Name to expect in the API server\'s certificate, instead of its host name' -r
complete -c kubectl-keda -n "__fish_kubectl_keda_using_subcommand connections" -l request-timeout -d 'How long one request may take, such as `10s` or `2m`; `0` means for ever' -r
complete -c kubectl-keda -n "__fish_kubectl_keda_using_subcommand connections" -s A -l all-namespaces -d 'Show the connections of all namespaces'
complete -c kubectl-keda -n "__fish_kubectl_keda_using_subcommand connections" -l no-headers -d 'Leave the headings out'
complete -c kubectl-keda -n "__fish_kubectl_keda_using_subcommand connections" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c kubectl-keda -n "__fish_kubectl_keda_using_subcommand validate" -s f -l filename -d 'File or folder with manifests, or `-` for standard input; may be given several times' -r -F
complete -c kubectl-keda -n "__fish_kubectl_keda_using_subcommand validate" -s o -l output -d 'How to print it: table, json, yaml or jsonpath=TEMPLATE' -r
complete -c kubectl-keda -n "__fish_kubectl_keda_using_subcommand validate" -l kubeconfig -d 'Kubeconfig file to use instead of $KUBECONFIG or ~/.kube/config' -r -F
complete -c kubectl-keda -n "__fish_kubectl_keda_using_subcommand validate" -l context -d 'Context of the kubeconfig to use' -r
complete -c kubectl-keda -n "__fish_kubectl_keda_using_subcommand validate" -l cluster -d 'Cluster of the kubeconfig to use' -r
complete -c kubectl-keda -n "__fish_kubectl_keda_using_subcommand validate" -l user -d 'User of the kubeconfig to use' -r
complete -c kubectl-keda -n "__fish_kubectl_keda_using_subcommand validate" -s n -l namespace -d 'Namespace to work in, instead of the context\'s' -r
complete -c kubectl-keda -n "__fish_kubectl_keda_using_subcommand validate" -s s -l server -d 'Address of the API server' -r
complete -c kubectl-keda -n "__fish_kubectl_keda_using_subcommand validate" -l token -d 'Bearer token to show to the API server' -r
complete -c kubectl-keda -n "__fish_kubectl_keda_using_subcommand validate" -l as -d 'User to act as' -r
complete -c kubectl-keda -n "__fish_kubectl_keda_using_subcommand validate" -l as-group -d 'Group to act as a member of; may be given several times' -r
complete -c kubectl-keda -n "__fish_kubectl_keda_using_subcommand validate" -l as-uid -d 'Uid to act as' -r
complete -c kubectl-keda -n "__fish_kubectl_keda_using_subcommand validate" -l certificate-authority -d 'File with the certificates of the authority that signed the API server\'s certificate' -r
complete -c kubectl-keda -n "__fish_kubectl_keda_using_subcommand validate" -l client-certificate -d 'File with the client certificate' -r
complete -c kubectl-keda -n "__fish_kubectl_keda_using_subcommand validate" -l client-key -d 'File with the key of the client certificate' -r
complete -c kubectl-keda -n "__fish_kubectl_keda_using_subcommand validate" -l insecure-skip-tls-verify -d 'Do not check the API server\'s certificate, which lets anybody in between read and change everything' -r -f -a "true\t''
false\t''"
complete -c kubectl-keda -n "__fish_kubectl_keda_using_subcommand validate" -l tls-server-name -d 'Name to expect in the API server\'s certificate, instead of its host name' -r
complete -c kubectl-keda -n "__fish_kubectl_keda_using_subcommand validate" -l request-timeout -d 'How long one request may take, such as `10s` or `2m`; `0` means for ever' -r
complete -c kubectl-keda -n "__fish_kubectl_keda_using_subcommand validate" -l strict -d 'Treat warnings as errors'
complete -c kubectl-keda -n "__fish_kubectl_keda_using_subcommand validate" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c kubectl-keda -n "__fish_kubectl_keda_using_subcommand dry-run" -s f -l filename -d 'File or folder with manifests, or `-` for standard input; may be given several times' -r -F
complete -c kubectl-keda -n "__fish_kubectl_keda_using_subcommand dry-run" -l set -d 'Take this value for a trigger (by name or position) instead of asking; may be given several times' -r
complete -c kubectl-keda -n "__fish_kubectl_keda_using_subcommand dry-run" -l replicas -d 'Start from so many replicas, instead of those that the target has' -r
complete -c kubectl-keda -n "__fish_kubectl_keda_using_subcommand dry-run" -s o -l output -d 'How to print it: table, json, yaml or jsonpath=TEMPLATE' -r
complete -c kubectl-keda -n "__fish_kubectl_keda_using_subcommand dry-run" -l keda-namespace -d 'Namespace of the installation, where the APIService does not tell' -r
complete -c kubectl-keda -n "__fish_kubectl_keda_using_subcommand dry-run" -l debug-address -d 'Address of a controller that runs outside the cluster, instead of a forwarded port' -r
complete -c kubectl-keda -n "__fish_kubectl_keda_using_subcommand dry-run" -l debug-ca -d 'File with the CA of the controller\'s certificate, instead of the APIService\'s caBundle' -r -F
complete -c kubectl-keda -n "__fish_kubectl_keda_using_subcommand dry-run" -l debug-token -d 'Token to show: a short-lived one of the service account `keda-debug`, or your own' -r -f -a "minted\t'Made for this call, worthless elsewhere'
own\t'The one the kubeconfig gives you'"
complete -c kubectl-keda -n "__fish_kubectl_keda_using_subcommand dry-run" -l kubeconfig -d 'Kubeconfig file to use instead of $KUBECONFIG or ~/.kube/config' -r -F
complete -c kubectl-keda -n "__fish_kubectl_keda_using_subcommand dry-run" -l context -d 'Context of the kubeconfig to use' -r
complete -c kubectl-keda -n "__fish_kubectl_keda_using_subcommand dry-run" -l cluster -d 'Cluster of the kubeconfig to use' -r
complete -c kubectl-keda -n "__fish_kubectl_keda_using_subcommand dry-run" -l user -d 'User of the kubeconfig to use' -r
complete -c kubectl-keda -n "__fish_kubectl_keda_using_subcommand dry-run" -s n -l namespace -d 'Namespace to work in, instead of the context\'s' -r
complete -c kubectl-keda -n "__fish_kubectl_keda_using_subcommand dry-run" -s s -l server -d 'Address of the API server' -r
complete -c kubectl-keda -n "__fish_kubectl_keda_using_subcommand dry-run" -l token -d 'Bearer token to show to the API server' -r
complete -c kubectl-keda -n "__fish_kubectl_keda_using_subcommand dry-run" -l as -d 'User to act as' -r
complete -c kubectl-keda -n "__fish_kubectl_keda_using_subcommand dry-run" -l as-group -d 'Group to act as a member of; may be given several times' -r
complete -c kubectl-keda -n "__fish_kubectl_keda_using_subcommand dry-run" -l as-uid -d 'Uid to act as' -r
complete -c kubectl-keda -n "__fish_kubectl_keda_using_subcommand dry-run" -l certificate-authority -d 'File with the certificates of the authority that signed the API server\'s certificate' -r
complete -c kubectl-keda -n "__fish_kubectl_keda_using_subcommand dry-run" -l client-certificate -d 'File with the client certificate' -r
complete -c kubectl-keda -n "__fish_kubectl_keda_using_subcommand dry-run" -l client-key -d 'File with the key of the client certificate' -r
complete -c kubectl-keda -n "__fish_kubectl_keda_using_subcommand dry-run" -l insecure-skip-tls-verify -d 'Do not check the API server\'s certificate, which lets anybody in between read and change everything' -r -f -a "true\t''
false\t''"
complete -c kubectl-keda -n "__fish_kubectl_keda_using_subcommand dry-run" -l tls-server-name -d 'Name to expect in the API server\'s certificate, instead of its host name' -r
complete -c kubectl-keda -n "__fish_kubectl_keda_using_subcommand dry-run" -l request-timeout -d 'How long one request may take, such as `10s` or `2m`; `0` means for ever' -r
complete -c kubectl-keda -n "__fish_kubectl_keda_using_subcommand dry-run" -l in-cluster -d 'Let the controller ask, from inside the cluster and with its credentials'
complete -c kubectl-keda -n "__fish_kubectl_keda_using_subcommand dry-run" -s w -l watch -d 'Go on asking until Ctrl-C'
complete -c kubectl-keda -n "__fish_kubectl_keda_using_subcommand dry-run" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c kubectl-keda -n "__fish_kubectl_keda_using_subcommand simulate" -s f -l filename -d 'File or folder with manifests, or `-` for standard input; may be given several times' -r -F
complete -c kubectl-keda -n "__fish_kubectl_keda_using_subcommand simulate" -l compare -d 'Manifest to run on the same series, to be seen beside the first' -r -F
complete -c kubectl-keda -n "__fish_kubectl_keda_using_subcommand simulate" -l assert -d 'Rule that must hold, such as `max(backlog) < 1000 && flaps <= 4`; may be given several times' -r
complete -c kubectl-keda -n "__fish_kubectl_keda_using_subcommand simulate" -l svg -d 'File to draw the plot into, as SVG' -r -F
complete -c kubectl-keda -n "__fish_kubectl_keda_using_subcommand simulate" -l html -d 'File to write a page with a plot to look around in; it needs nothing else' -r -F
complete -c kubectl-keda -n "__fish_kubectl_keda_using_subcommand simulate" -s o -l output -d 'How to print it: table or json' -r -f -a "table\t'Figures and a plot'
json\t'Steps and figures'"
complete -c kubectl-keda -n "__fish_kubectl_keda_using_subcommand simulate" -l replica-hour-price -d 'What a replica costs an hour' -r
complete -c kubectl-keda -n "__fish_kubectl_keda_using_subcommand simulate" -l series -d 'File with the values over time, or `-`: CSV with the header `t,TRIGGER…`, JSON lines or OpenMetrics' -r -F
complete -c kubectl-keda -n "__fish_kubectl_keda_using_subcommand simulate" -l format -d 'How the file is written, where its name does not tell' -r -f -a "csv\t'Comma-separated, the first row names the columns'
jsonl\t'A JSON object a line'
openmetrics\t'OpenMetrics text with a timestamp a sample'"
complete -c kubectl-keda -n "__fish_kubectl_keda_using_subcommand simulate" -l column -d 'Column of a trigger (by name or position) that is called otherwise; columns of no trigger are then left out' -r
complete -c kubectl-keda -n "__fish_kubectl_keda_using_subcommand simulate" -l load -d 'Made-up load, such as `day(peak=500,base=20)` or `orders=steps(0,100,each=1h)`; may be given several times' -r
complete -c kubectl-keda -n "__fish_kubectl_keda_using_subcommand simulate" -l prometheus -d 'Prometheus server to fetch the past from; a user may stand in the URL' -r
complete -c kubectl-keda -n "__fish_kubectl_keda_using_subcommand simulate" -l query -d 'Query for a trigger, instead of those of the manifest\'s `prometheus` triggers; may be given several times' -r
complete -c kubectl-keda -n "__fish_kubectl_keda_using_subcommand simulate" -l since -d 'How far back to fetch' -r
complete -c kubectl-keda -n "__fish_kubectl_keda_using_subcommand simulate" -l step -d 'Time between two values that are fetched' -r
complete -c kubectl-keda -n "__fish_kubectl_keda_using_subcommand simulate" -l write-series -d 'File to write a made-up load or what was fetched into, as CSV' -r -F
complete -c kubectl-keda -n "__fish_kubectl_keda_using_subcommand simulate" -l start -d 'When it begins, as a date or RFC 3339, such as `2026-03-02`: today in UTC for `cron` triggers alone, 1970 for a made-up load' -r
complete -c kubectl-keda -n "__fish_kubectl_keda_using_subcommand simulate" -l for -d 'How long to simulate, such as `8h` or `7d`: until the last row of what was recorded, else a day' -r
complete -c kubectl-keda -n "__fish_kubectl_keda_using_subcommand simulate" -l service-rate -d 'Messages a second that one ready replica can do; the column `arrivals` says how many arrive a second' -r
complete -c kubectl-keda -n "__fish_kubectl_keda_using_subcommand simulate" -l initial-backlog -d 'Messages that wait at the start' -r
complete -c kubectl-keda -n "__fish_kubectl_keda_using_subcommand simulate" -l input -d 'What a trigger without a column shows: backlog, in-system, arrivals or busy; may be given several times' -r
complete -c kubectl-keda -n "__fish_kubectl_keda_using_subcommand simulate" -l replicas -d 'Replicas at the start, instead of those of the target in the files, or 1' -r
complete -c kubectl-keda -n "__fish_kubectl_keda_using_subcommand simulate" -l pod-startup -d 'Time from the creation of a pod until it is ready' -r
complete -c kubectl-keda -n "__fish_kubectl_keda_using_subcommand simulate" -l pod-drain -d 'Time from the deletion of a pod until it is gone' -r
complete -c kubectl-keda -n "__fish_kubectl_keda_using_subcommand simulate" -l hpa-sync-period -d 'The HPA\'s `--horizontal-pod-autoscaler-sync-period`' -r
complete -c kubectl-keda -n "__fish_kubectl_keda_using_subcommand simulate" -l tolerance -d 'The HPA\'s `--horizontal-pod-autoscaler-tolerance`' -r
complete -c kubectl-keda -n "__fish_kubectl_keda_using_subcommand simulate" -l downscale-stabilization -d 'The HPA\'s `--horizontal-pod-autoscaler-downscale-stabilization`' -r
complete -c kubectl-keda -n "__fish_kubectl_keda_using_subcommand simulate" -l cpu-initialization-period -d 'The HPA\'s `--horizontal-pod-autoscaler-cpu-initialization-period`' -r
complete -c kubectl-keda -n "__fish_kubectl_keda_using_subcommand simulate" -l initial-readiness-delay -d 'The HPA\'s `--horizontal-pod-autoscaler-initial-readiness-delay`' -r
complete -c kubectl-keda -n "__fish_kubectl_keda_using_subcommand simulate" -l kubeconfig -d 'Kubeconfig file to use instead of $KUBECONFIG or ~/.kube/config' -r -F
complete -c kubectl-keda -n "__fish_kubectl_keda_using_subcommand simulate" -l context -d 'Context of the kubeconfig to use' -r
complete -c kubectl-keda -n "__fish_kubectl_keda_using_subcommand simulate" -l cluster -d 'Cluster of the kubeconfig to use' -r
complete -c kubectl-keda -n "__fish_kubectl_keda_using_subcommand simulate" -l user -d 'User of the kubeconfig to use' -r
complete -c kubectl-keda -n "__fish_kubectl_keda_using_subcommand simulate" -s n -l namespace -d 'Namespace to work in, instead of the context\'s' -r
complete -c kubectl-keda -n "__fish_kubectl_keda_using_subcommand simulate" -s s -l server -d 'Address of the API server' -r
complete -c kubectl-keda -n "__fish_kubectl_keda_using_subcommand simulate" -l token -d 'Bearer token to show to the API server' -r
complete -c kubectl-keda -n "__fish_kubectl_keda_using_subcommand simulate" -l as -d 'User to act as' -r
complete -c kubectl-keda -n "__fish_kubectl_keda_using_subcommand simulate" -l as-group -d 'Group to act as a member of; may be given several times' -r
complete -c kubectl-keda -n "__fish_kubectl_keda_using_subcommand simulate" -l as-uid -d 'Uid to act as' -r
complete -c kubectl-keda -n "__fish_kubectl_keda_using_subcommand simulate" -l certificate-authority -d 'File with the certificates of the authority that signed the API server\'s certificate' -r
complete -c kubectl-keda -n "__fish_kubectl_keda_using_subcommand simulate" -l client-certificate -d 'File with the client certificate' -r
complete -c kubectl-keda -n "__fish_kubectl_keda_using_subcommand simulate" -l client-key -d 'File with the key of the client certificate' -r
complete -c kubectl-keda -n "__fish_kubectl_keda_using_subcommand simulate" -l insecure-skip-tls-verify -d 'Do not check the API server\'s certificate, which lets anybody in between read and change everything' -r -f -a "true\t''
false\t''"
complete -c kubectl-keda -n "__fish_kubectl_keda_using_subcommand simulate" -l tls-server-name -d 'Name to expect in the API server\'s certificate, instead of its host name' -r
complete -c kubectl-keda -n "__fish_kubectl_keda_using_subcommand simulate" -l request-timeout -d 'How long one request may take, such as `10s` or `2m`; `0` means for ever' -r
complete -c kubectl-keda -n "__fish_kubectl_keda_using_subcommand simulate" -l every-step -d 'With -o json: a step for every poll and every sync of the HPA, instead of one a change'
complete -c kubectl-keda -n "__fish_kubectl_keda_using_subcommand simulate" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c kubectl-keda -n "__fish_kubectl_keda_using_subcommand record" -s f -l filename -d 'File or folder with manifests, or `-` for standard input; may be given several times' -r -F
complete -c kubectl-keda -n "__fish_kubectl_keda_using_subcommand record" -l series -d 'File to write the values into, or `-` for standard output: CSV, or JSON lines where it ends in `.jsonl`' -r -F
complete -c kubectl-keda -n "__fish_kubectl_keda_using_subcommand record" -l format -d 'How the file is written, where its name does not tell' -r -f -a "csv\t'Comma-separated, the first row names the columns'
jsonl\t'A JSON object a line'"
complete -c kubectl-keda -n "__fish_kubectl_keda_using_subcommand record" -l every -d 'Time between two rows, whole seconds' -r
complete -c kubectl-keda -n "__fish_kubectl_keda_using_subcommand record" -l for -d 'How long to record, such as `1h` or `7d`: until Ctrl-C' -r
complete -c kubectl-keda -n "__fish_kubectl_keda_using_subcommand record" -l keda-namespace -d 'Namespace of the installation, where the APIService does not tell' -r
complete -c kubectl-keda -n "__fish_kubectl_keda_using_subcommand record" -l debug-address -d 'Address of a controller that runs outside the cluster, instead of a forwarded port' -r
complete -c kubectl-keda -n "__fish_kubectl_keda_using_subcommand record" -l debug-ca -d 'File with the CA of the controller\'s certificate, instead of the APIService\'s caBundle' -r -F
complete -c kubectl-keda -n "__fish_kubectl_keda_using_subcommand record" -l debug-token -d 'Token to show: a short-lived one of the service account `keda-debug`, or your own' -r -f -a "minted\t'Made for this call, worthless elsewhere'
own\t'The one the kubeconfig gives you'"
complete -c kubectl-keda -n "__fish_kubectl_keda_using_subcommand record" -l kubeconfig -d 'Kubeconfig file to use instead of $KUBECONFIG or ~/.kube/config' -r -F
complete -c kubectl-keda -n "__fish_kubectl_keda_using_subcommand record" -l context -d 'Context of the kubeconfig to use' -r
complete -c kubectl-keda -n "__fish_kubectl_keda_using_subcommand record" -l cluster -d 'Cluster of the kubeconfig to use' -r
complete -c kubectl-keda -n "__fish_kubectl_keda_using_subcommand record" -l user -d 'User of the kubeconfig to use' -r
complete -c kubectl-keda -n "__fish_kubectl_keda_using_subcommand record" -s n -l namespace -d 'Namespace to work in, instead of the context\'s' -r
complete -c kubectl-keda -n "__fish_kubectl_keda_using_subcommand record" -s s -l server -d 'Address of the API server' -r
complete -c kubectl-keda -n "__fish_kubectl_keda_using_subcommand record" -l token -d 'Bearer token to show to the API server' -r
complete -c kubectl-keda -n "__fish_kubectl_keda_using_subcommand record" -l as -d 'User to act as' -r
complete -c kubectl-keda -n "__fish_kubectl_keda_using_subcommand record" -l as-group -d 'Group to act as a member of; may be given several times' -r
complete -c kubectl-keda -n "__fish_kubectl_keda_using_subcommand record" -l as-uid -d 'Uid to act as' -r
complete -c kubectl-keda -n "__fish_kubectl_keda_using_subcommand record" -l certificate-authority -d 'File with the certificates of the authority that signed the API server\'s certificate' -r
complete -c kubectl-keda -n "__fish_kubectl_keda_using_subcommand record" -l client-certificate -d 'File with the client certificate' -r
complete -c kubectl-keda -n "__fish_kubectl_keda_using_subcommand record" -l client-key -d 'File with the key of the client certificate' -r
complete -c kubectl-keda -n "__fish_kubectl_keda_using_subcommand record" -l insecure-skip-tls-verify -d 'Do not check the API server\'s certificate, which lets anybody in between read and change everything' -r -f -a "true\t''
false\t''"
complete -c kubectl-keda -n "__fish_kubectl_keda_using_subcommand record" -l tls-server-name -d 'Name to expect in the API server\'s certificate, instead of its host name' -r
complete -c kubectl-keda -n "__fish_kubectl_keda_using_subcommand record" -l request-timeout -d 'How long one request may take, such as `10s` or `2m`; `0` means for ever' -r
complete -c kubectl-keda -n "__fish_kubectl_keda_using_subcommand record" -l in-cluster -d 'Let the controller ask, from inside the cluster and with its credentials'
complete -c kubectl-keda -n "__fish_kubectl_keda_using_subcommand record" -l append -d 'Go on with a file that has the same columns'
complete -c kubectl-keda -n "__fish_kubectl_keda_using_subcommand record" -l force -d 'Write a file anew that exists already'
complete -c kubectl-keda -n "__fish_kubectl_keda_using_subcommand record" -l changes -d 'Leave out rows that say what the row before says'
complete -c kubectl-keda -n "__fish_kubectl_keda_using_subcommand record" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c kubectl-keda -n "__fish_kubectl_keda_using_subcommand tune" -s f -l filename -d 'File or folder with manifests, or `-` for standard input; may be given several times' -r -F
complete -c kubectl-keda -n "__fish_kubectl_keda_using_subcommand tune" -l minimize -d 'Figure that should be small, one of those that rules speak of' -r
complete -c kubectl-keda -n "__fish_kubectl_keda_using_subcommand tune" -l maximize -d 'Figure that should be large' -r
complete -c kubectl-keda -n "__fish_kubectl_keda_using_subcommand tune" -l subject-to -d 'Rule that must hold, such as `p95(backlog) < 500`; at least one, may be given several times' -r
complete -c kubectl-keda -n "__fish_kubectl_keda_using_subcommand tune" -l vary -d 'Parameter to vary too, or in another range; may be given several times' -r
complete -c kubectl-keda -n "__fish_kubectl_keda_using_subcommand tune" -l keep -d 'Parameter to leave as it is, or `others` for all that --vary does not name; may be given several times' -r
complete -c kubectl-keda -n "__fish_kubectl_keda_using_subcommand tune" -l evaluations -d 'Most simulations' -r
complete -c kubectl-keda -n "__fish_kubectl_keda_using_subcommand tune" -l seed -d 'Decides which combinations are tried first; the same seed gives the same answer' -r
complete -c kubectl-keda -n "__fish_kubectl_keda_using_subcommand tune" -l holdout -d 'Series of another day, on which the proposal is shown too' -r -F
complete -c kubectl-keda -n "__fish_kubectl_keda_using_subcommand tune" -l svg -d 'File to draw the trade-off into, as SVG' -r -F
complete -c kubectl-keda -n "__fish_kubectl_keda_using_subcommand tune" -l html -d 'File to write a page with the trade-off and both runs to look around in; it needs nothing else' -r -F
complete -c kubectl-keda -n "__fish_kubectl_keda_using_subcommand tune" -s o -l output -d 'How to print it: table, json or diff' -r -f -a "table\t'Figures, a plot and the difference'
json\t'Everything that was tried'
diff\t'The difference alone, to be applied'"
complete -c kubectl-keda -n "__fish_kubectl_keda_using_subcommand tune" -l replica-hour-price -d 'What a replica costs an hour' -r
complete -c kubectl-keda -n "__fish_kubectl_keda_using_subcommand tune" -l series -d 'File with the values over time, or `-`: CSV with the header `t,TRIGGER…`, JSON lines or OpenMetrics' -r -F
complete -c kubectl-keda -n "__fish_kubectl_keda_using_subcommand tune" -l format -d 'How the file is written, where its name does not tell' -r -f -a "csv\t'Comma-separated, the first row names the columns'
jsonl\t'A JSON object a line'
openmetrics\t'OpenMetrics text with a timestamp a sample'"
complete -c kubectl-keda -n "__fish_kubectl_keda_using_subcommand tune" -l column -d 'Column of a trigger (by name or position) that is called otherwise; columns of no trigger are then left out' -r
complete -c kubectl-keda -n "__fish_kubectl_keda_using_subcommand tune" -l load -d 'Made-up load, such as `day(peak=500,base=20)` or `orders=steps(0,100,each=1h)`; may be given several times' -r
complete -c kubectl-keda -n "__fish_kubectl_keda_using_subcommand tune" -l prometheus -d 'Prometheus server to fetch the past from; a user may stand in the URL' -r
complete -c kubectl-keda -n "__fish_kubectl_keda_using_subcommand tune" -l query -d 'Query for a trigger, instead of those of the manifest\'s `prometheus` triggers; may be given several times' -r
complete -c kubectl-keda -n "__fish_kubectl_keda_using_subcommand tune" -l since -d 'How far back to fetch' -r
complete -c kubectl-keda -n "__fish_kubectl_keda_using_subcommand tune" -l step -d 'Time between two values that are fetched' -r
complete -c kubectl-keda -n "__fish_kubectl_keda_using_subcommand tune" -l write-series -d 'File to write a made-up load or what was fetched into, as CSV' -r -F
complete -c kubectl-keda -n "__fish_kubectl_keda_using_subcommand tune" -l start -d 'When it begins, as a date or RFC 3339, such as `2026-03-02`: today in UTC for `cron` triggers alone, 1970 for a made-up load' -r
complete -c kubectl-keda -n "__fish_kubectl_keda_using_subcommand tune" -l for -d 'How long to simulate, such as `8h` or `7d`: until the last row of what was recorded, else a day' -r
complete -c kubectl-keda -n "__fish_kubectl_keda_using_subcommand tune" -l service-rate -d 'Messages a second that one ready replica can do; the column `arrivals` says how many arrive a second' -r
complete -c kubectl-keda -n "__fish_kubectl_keda_using_subcommand tune" -l initial-backlog -d 'Messages that wait at the start' -r
complete -c kubectl-keda -n "__fish_kubectl_keda_using_subcommand tune" -l input -d 'What a trigger without a column shows: backlog, in-system, arrivals or busy; may be given several times' -r
complete -c kubectl-keda -n "__fish_kubectl_keda_using_subcommand tune" -l replicas -d 'Replicas at the start, instead of those of the target in the files, or 1' -r
complete -c kubectl-keda -n "__fish_kubectl_keda_using_subcommand tune" -l pod-startup -d 'Time from the creation of a pod until it is ready' -r
complete -c kubectl-keda -n "__fish_kubectl_keda_using_subcommand tune" -l pod-drain -d 'Time from the deletion of a pod until it is gone' -r
complete -c kubectl-keda -n "__fish_kubectl_keda_using_subcommand tune" -l hpa-sync-period -d 'The HPA\'s `--horizontal-pod-autoscaler-sync-period`' -r
complete -c kubectl-keda -n "__fish_kubectl_keda_using_subcommand tune" -l tolerance -d 'The HPA\'s `--horizontal-pod-autoscaler-tolerance`' -r
complete -c kubectl-keda -n "__fish_kubectl_keda_using_subcommand tune" -l downscale-stabilization -d 'The HPA\'s `--horizontal-pod-autoscaler-downscale-stabilization`' -r
complete -c kubectl-keda -n "__fish_kubectl_keda_using_subcommand tune" -l cpu-initialization-period -d 'The HPA\'s `--horizontal-pod-autoscaler-cpu-initialization-period`' -r
complete -c kubectl-keda -n "__fish_kubectl_keda_using_subcommand tune" -l initial-readiness-delay -d 'The HPA\'s `--horizontal-pod-autoscaler-initial-readiness-delay`' -r
complete -c kubectl-keda -n "__fish_kubectl_keda_using_subcommand tune" -l kubeconfig -d 'Kubeconfig file to use instead of $KUBECONFIG or ~/.kube/config' -r -F
complete -c kubectl-keda -n "__fish_kubectl_keda_using_subcommand tune" -l context -d 'Context of the kubeconfig to use' -r
complete -c kubectl-keda -n "__fish_kubectl_keda_using_subcommand tune" -l cluster -d 'Cluster of the kubeconfig to use' -r
complete -c kubectl-keda -n "__fish_kubectl_keda_using_subcommand tune" -l user -d 'User of the kubeconfig to use' -r
complete -c kubectl-keda -n "__fish_kubectl_keda_using_subcommand tune" -s n -l namespace -d 'Namespace to work in, instead of the context\'s' -r
complete -c kubectl-keda -n "__fish_kubectl_keda_using_subcommand tune" -s s -l server -d 'Address of the API server' -r
complete -c kubectl-keda -n "__fish_kubectl_keda_using_subcommand tune" -l token -d 'Bearer token to show to the API server' -r
complete -c kubectl-keda -n "__fish_kubectl_keda_using_subcommand tune" -l as -d 'User to act as' -r
complete -c kubectl-keda -n "__fish_kubectl_keda_using_subcommand tune" -l as-group -d 'Group to act as a member of; may be given several times' -r
complete -c kubectl-keda -n "__fish_kubectl_keda_using_subcommand tune" -l as-uid -d 'Uid to act as' -r
complete -c kubectl-keda -n "__fish_kubectl_keda_using_subcommand tune" -l certificate-authority -d 'File with the certificates of the authority that signed the API server\'s certificate' -r
complete -c kubectl-keda -n "__fish_kubectl_keda_using_subcommand tune" -l client-certificate -d 'File with the client certificate' -r
complete -c kubectl-keda -n "__fish_kubectl_keda_using_subcommand tune" -l client-key -d 'File with the key of the client certificate' -r
complete -c kubectl-keda -n "__fish_kubectl_keda_using_subcommand tune" -l insecure-skip-tls-verify -d 'Do not check the API server\'s certificate, which lets anybody in between read and change everything' -r -f -a "true\t''
false\t''"
complete -c kubectl-keda -n "__fish_kubectl_keda_using_subcommand tune" -l tls-server-name -d 'Name to expect in the API server\'s certificate, instead of its host name' -r
complete -c kubectl-keda -n "__fish_kubectl_keda_using_subcommand tune" -l request-timeout -d 'How long one request may take, such as `10s` or `2m`; `0` means for ever' -r
complete -c kubectl-keda -n "__fish_kubectl_keda_using_subcommand tune" -l write -d 'Change the file: all of it or nothing'
complete -c kubectl-keda -n "__fish_kubectl_keda_using_subcommand tune" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c kubectl-keda -n "__fish_kubectl_keda_using_subcommand scaffold" -l name -d 'Name of the ScaledObject' -r
complete -c kubectl-keda -n "__fish_kubectl_keda_using_subcommand scaffold" -l target -d 'What to scale, as KIND/NAME (deployment or statefulset) or NAME' -r
complete -c kubectl-keda -n "__fish_kubectl_keda_using_subcommand scaffold" -l set -d 'Value of a setting; may be given several times' -r
complete -c kubectl-keda -n "__fish_kubectl_keda_using_subcommand scaffold" -l auth -d 'Parameter of the authentication for `--live`: asked for without VALUE, read from a file with @FILE; the manifest refers to a Secret and never holds the value' -r
complete -c kubectl-keda -n "__fish_kubectl_keda_using_subcommand scaffold" -s o -l output -d 'How to list it: table, json, yaml or jsonpath=TEMPLATE' -r
complete -c kubectl-keda -n "__fish_kubectl_keda_using_subcommand scaffold" -l kubeconfig -d 'Kubeconfig file to use instead of $KUBECONFIG or ~/.kube/config' -r -F
complete -c kubectl-keda -n "__fish_kubectl_keda_using_subcommand scaffold" -l context -d 'Context of the kubeconfig to use' -r
complete -c kubectl-keda -n "__fish_kubectl_keda_using_subcommand scaffold" -l cluster -d 'Cluster of the kubeconfig to use' -r
complete -c kubectl-keda -n "__fish_kubectl_keda_using_subcommand scaffold" -l user -d 'User of the kubeconfig to use' -r
complete -c kubectl-keda -n "__fish_kubectl_keda_using_subcommand scaffold" -s n -l namespace -d 'Namespace to work in, instead of the context\'s' -r
complete -c kubectl-keda -n "__fish_kubectl_keda_using_subcommand scaffold" -s s -l server -d 'Address of the API server' -r
complete -c kubectl-keda -n "__fish_kubectl_keda_using_subcommand scaffold" -l token -d 'Bearer token to show to the API server' -r
complete -c kubectl-keda -n "__fish_kubectl_keda_using_subcommand scaffold" -l as -d 'User to act as' -r
complete -c kubectl-keda -n "__fish_kubectl_keda_using_subcommand scaffold" -l as-group -d 'Group to act as a member of; may be given several times' -r
complete -c kubectl-keda -n "__fish_kubectl_keda_using_subcommand scaffold" -l as-uid -d 'Uid to act as' -r
complete -c kubectl-keda -n "__fish_kubectl_keda_using_subcommand scaffold" -l certificate-authority -d 'File with the certificates of the authority that signed the API server\'s certificate' -r
complete -c kubectl-keda -n "__fish_kubectl_keda_using_subcommand scaffold" -l client-certificate -d 'File with the client certificate' -r
complete -c kubectl-keda -n "__fish_kubectl_keda_using_subcommand scaffold" -l client-key -d 'File with the key of the client certificate' -r
complete -c kubectl-keda -n "__fish_kubectl_keda_using_subcommand scaffold" -l insecure-skip-tls-verify -d 'Do not check the API server\'s certificate, which lets anybody in between read and change everything' -r -f -a "true\t''
false\t''"
complete -c kubectl-keda -n "__fish_kubectl_keda_using_subcommand scaffold" -l tls-server-name -d 'Name to expect in the API server\'s certificate, instead of its host name' -r
complete -c kubectl-keda -n "__fish_kubectl_keda_using_subcommand scaffold" -l request-timeout -d 'How long one request may take, such as `10s` or `2m`; `0` means for ever' -r
complete -c kubectl-keda -n "__fish_kubectl_keda_using_subcommand scaffold" -l live -d 'Ask the source, from this machine, what it has that the trigger could name'
complete -c kubectl-keda -n "__fish_kubectl_keda_using_subcommand scaffold" -l list -d 'Only list what the source has'
complete -c kubectl-keda -n "__fish_kubectl_keda_using_subcommand scaffold" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c kubectl-keda -n "__fish_kubectl_keda_using_subcommand scalers" -s o -l output -d 'How to print them: table, wide, json, yaml, name or jsonpath=TEMPLATE' -r
complete -c kubectl-keda -n "__fish_kubectl_keda_using_subcommand scalers" -l kubeconfig -d 'Kubeconfig file to use instead of $KUBECONFIG or ~/.kube/config' -r -F
complete -c kubectl-keda -n "__fish_kubectl_keda_using_subcommand scalers" -l context -d 'Context of the kubeconfig to use' -r
complete -c kubectl-keda -n "__fish_kubectl_keda_using_subcommand scalers" -l cluster -d 'Cluster of the kubeconfig to use' -r
complete -c kubectl-keda -n "__fish_kubectl_keda_using_subcommand scalers" -l user -d 'User of the kubeconfig to use' -r
complete -c kubectl-keda -n "__fish_kubectl_keda_using_subcommand scalers" -s n -l namespace -d 'Namespace to work in, instead of the context\'s' -r
complete -c kubectl-keda -n "__fish_kubectl_keda_using_subcommand scalers" -s s -l server -d 'Address of the API server' -r
complete -c kubectl-keda -n "__fish_kubectl_keda_using_subcommand scalers" -l token -d 'Bearer token to show to the API server' -r
complete -c kubectl-keda -n "__fish_kubectl_keda_using_subcommand scalers" -l as -d 'User to act as' -r
complete -c kubectl-keda -n "__fish_kubectl_keda_using_subcommand scalers" -l as-group -d 'Group to act as a member of; may be given several times' -r
complete -c kubectl-keda -n "__fish_kubectl_keda_using_subcommand scalers" -l as-uid -d 'Uid to act as' -r
complete -c kubectl-keda -n "__fish_kubectl_keda_using_subcommand scalers" -l certificate-authority -d 'File with the certificates of the authority that signed the API server\'s certificate' -r
complete -c kubectl-keda -n "__fish_kubectl_keda_using_subcommand scalers" -l client-certificate -d 'File with the client certificate' -r
complete -c kubectl-keda -n "__fish_kubectl_keda_using_subcommand scalers" -l client-key -d 'File with the key of the client certificate' -r
complete -c kubectl-keda -n "__fish_kubectl_keda_using_subcommand scalers" -l insecure-skip-tls-verify -d 'Do not check the API server\'s certificate, which lets anybody in between read and change everything' -r -f -a "true\t''
false\t''"
complete -c kubectl-keda -n "__fish_kubectl_keda_using_subcommand scalers" -l tls-server-name -d 'Name to expect in the API server\'s certificate, instead of its host name' -r
complete -c kubectl-keda -n "__fish_kubectl_keda_using_subcommand scalers" -l request-timeout -d 'How long one request may take, such as `10s` or `2m`; `0` means for ever' -r
complete -c kubectl-keda -n "__fish_kubectl_keda_using_subcommand scalers" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c kubectl-keda -n "__fish_kubectl_keda_using_subcommand version" -s o -l output -d 'How to print it: table, json, yaml or jsonpath=TEMPLATE' -r
complete -c kubectl-keda -n "__fish_kubectl_keda_using_subcommand version" -l keda-namespace -d 'Namespace of the installation, where the APIService does not tell' -r
complete -c kubectl-keda -n "__fish_kubectl_keda_using_subcommand version" -l debug-address -d 'Address of a controller that runs outside the cluster, instead of a forwarded port' -r
complete -c kubectl-keda -n "__fish_kubectl_keda_using_subcommand version" -l debug-ca -d 'File with the CA of the controller\'s certificate, instead of the APIService\'s caBundle' -r -F
complete -c kubectl-keda -n "__fish_kubectl_keda_using_subcommand version" -l debug-token -d 'Token to show: a short-lived one of the service account `keda-debug`, or your own' -r -f -a "minted\t'Made for this call, worthless elsewhere'
own\t'The one the kubeconfig gives you'"
complete -c kubectl-keda -n "__fish_kubectl_keda_using_subcommand version" -l kubeconfig -d 'Kubeconfig file to use instead of $KUBECONFIG or ~/.kube/config' -r -F
complete -c kubectl-keda -n "__fish_kubectl_keda_using_subcommand version" -l context -d 'Context of the kubeconfig to use' -r
complete -c kubectl-keda -n "__fish_kubectl_keda_using_subcommand version" -l cluster -d 'Cluster of the kubeconfig to use' -r
complete -c kubectl-keda -n "__fish_kubectl_keda_using_subcommand version" -l user -d 'User of the kubeconfig to use' -r
complete -c kubectl-keda -n "__fish_kubectl_keda_using_subcommand version" -s n -l namespace -d 'Namespace to work in, instead of the context\'s' -r
complete -c kubectl-keda -n "__fish_kubectl_keda_using_subcommand version" -s s -l server -d 'Address of the API server' -r
complete -c kubectl-keda -n "__fish_kubectl_keda_using_subcommand version" -l token -d 'Bearer token to show to the API server' -r
complete -c kubectl-keda -n "__fish_kubectl_keda_using_subcommand version" -l as -d 'User to act as' -r
complete -c kubectl-keda -n "__fish_kubectl_keda_using_subcommand version" -l as-group -d 'Group to act as a member of; may be given several times' -r
complete -c kubectl-keda -n "__fish_kubectl_keda_using_subcommand version" -l as-uid -d 'Uid to act as' -r
complete -c kubectl-keda -n "__fish_kubectl_keda_using_subcommand version" -l certificate-authority -d 'File with the certificates of the authority that signed the API server\'s certificate' -r
complete -c kubectl-keda -n "__fish_kubectl_keda_using_subcommand version" -l client-certificate -d 'File with the client certificate' -r
complete -c kubectl-keda -n "__fish_kubectl_keda_using_subcommand version" -l client-key -d 'File with the key of the client certificate' -r
complete -c kubectl-keda -n "__fish_kubectl_keda_using_subcommand version" -l insecure-skip-tls-verify -d 'Do not check the API server\'s certificate, which lets anybody in between read and change everything' -r -f -a "true\t''
false\t''"
complete -c kubectl-keda -n "__fish_kubectl_keda_using_subcommand version" -l tls-server-name -d 'Name to expect in the API server\'s certificate, instead of its host name' -r
complete -c kubectl-keda -n "__fish_kubectl_keda_using_subcommand version" -l request-timeout -d 'How long one request may take, such as `10s` or `2m`; `0` means for ever' -r
complete -c kubectl-keda -n "__fish_kubectl_keda_using_subcommand version" -l client -d 'Say only which version this command is, without asking a cluster'
complete -c kubectl-keda -n "__fish_kubectl_keda_using_subcommand version" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c kubectl-keda -n "__fish_kubectl_keda_using_subcommand completion" -l kubeconfig -d 'Kubeconfig file to use instead of $KUBECONFIG or ~/.kube/config' -r -F
complete -c kubectl-keda -n "__fish_kubectl_keda_using_subcommand completion" -l context -d 'Context of the kubeconfig to use' -r
complete -c kubectl-keda -n "__fish_kubectl_keda_using_subcommand completion" -l cluster -d 'Cluster of the kubeconfig to use' -r
complete -c kubectl-keda -n "__fish_kubectl_keda_using_subcommand completion" -l user -d 'User of the kubeconfig to use' -r
complete -c kubectl-keda -n "__fish_kubectl_keda_using_subcommand completion" -s n -l namespace -d 'Namespace to work in, instead of the context\'s' -r
complete -c kubectl-keda -n "__fish_kubectl_keda_using_subcommand completion" -s s -l server -d 'Address of the API server' -r
complete -c kubectl-keda -n "__fish_kubectl_keda_using_subcommand completion" -l token -d 'Bearer token to show to the API server' -r
complete -c kubectl-keda -n "__fish_kubectl_keda_using_subcommand completion" -l as -d 'User to act as' -r
complete -c kubectl-keda -n "__fish_kubectl_keda_using_subcommand completion" -l as-group -d 'Group to act as a member of; may be given several times' -r
complete -c kubectl-keda -n "__fish_kubectl_keda_using_subcommand completion" -l as-uid -d 'Uid to act as' -r
complete -c kubectl-keda -n "__fish_kubectl_keda_using_subcommand completion" -l certificate-authority -d 'File with the certificates of the authority that signed the API server\'s certificate' -r
complete -c kubectl-keda -n "__fish_kubectl_keda_using_subcommand completion" -l client-certificate -d 'File with the client certificate' -r
complete -c kubectl-keda -n "__fish_kubectl_keda_using_subcommand completion" -l client-key -d 'File with the key of the client certificate' -r
complete -c kubectl-keda -n "__fish_kubectl_keda_using_subcommand completion" -l insecure-skip-tls-verify -d 'Do not check the API server\'s certificate, which lets anybody in between read and change everything' -r -f -a "true\t''
false\t''"
complete -c kubectl-keda -n "__fish_kubectl_keda_using_subcommand completion" -l tls-server-name -d 'Name to expect in the API server\'s certificate, instead of its host name' -r
complete -c kubectl-keda -n "__fish_kubectl_keda_using_subcommand completion" -l request-timeout -d 'How long one request may take, such as `10s` or `2m`; `0` means for ever' -r
complete -c kubectl-keda -n "__fish_kubectl_keda_using_subcommand completion" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c kubectl-keda -n "__fish_kubectl_keda_using_subcommand help; and not __fish_seen_subcommand_from install upgrade uninstall status explain connections validate dry-run simulate record tune scaffold scalers version completion help" -f -a "install" -d 'Install the controller, the metrics adapter and the custom resources'
complete -c kubectl-keda -n "__fish_kubectl_keda_using_subcommand help; and not __fish_seen_subcommand_from install upgrade uninstall status explain connections validate dry-run simulate record tune scaffold scalers version completion help" -f -a "upgrade" -d 'Bring an installation to this version'
complete -c kubectl-keda -n "__fish_kubectl_keda_using_subcommand help; and not __fish_seen_subcommand_from install upgrade uninstall status explain connections validate dry-run simulate record tune scaffold scalers version completion help" -f -a "uninstall" -d 'Remove an installation'
complete -c kubectl-keda -n "__fish_kubectl_keda_using_subcommand help; and not __fish_seen_subcommand_from install upgrade uninstall status explain connections validate dry-run simulate record tune scaffold scalers version completion help" -f -a "status" -d 'Show what is scaled, by what, and why'
complete -c kubectl-keda -n "__fish_kubectl_keda_using_subcommand help; and not __fish_seen_subcommand_from install upgrade uninstall status explain connections validate dry-run simulate record tune scaffold scalers version completion help" -f -a "explain" -d 'Tell what happened to one object, why, and what comes next'
complete -c kubectl-keda -n "__fish_kubectl_keda_using_subcommand help; and not __fish_seen_subcommand_from install upgrade uninstall status explain connections validate dry-run simulate record tune scaffold scalers version completion help" -f -a "connections" -d 'Show the connections to event sources, and who shares them'
complete -c kubectl-keda -n "__fish_kubectl_keda_using_subcommand help; and not __fish_seen_subcommand_from install upgrade uninstall status explain connections validate dry-run simulate record tune scaffold scalers version completion help" -f -a "validate" -d 'Find the mistakes in manifests, without a cluster'
complete -c kubectl-keda -n "__fish_kubectl_keda_using_subcommand help; and not __fish_seen_subcommand_from install upgrade uninstall status explain connections validate dry-run simulate record tune scaffold scalers version completion help" -f -a "dry-run" -d 'Ask the triggers now and tell what would follow, without writing anything'
complete -c kubectl-keda -n "__fish_kubectl_keda_using_subcommand help; and not __fish_seen_subcommand_from install upgrade uninstall status explain connections validate dry-run simulate record tune scaffold scalers version completion help" -f -a "simulate" -d 'Tell what a manifest would have done with a recorded load, or a made-up one'
complete -c kubectl-keda -n "__fish_kubectl_keda_using_subcommand help; and not __fish_seen_subcommand_from install upgrade uninstall status explain connections validate dry-run simulate record tune scaffold scalers version completion help" -f -a "record" -d 'Write down what the triggers say over time, as a series for `simulate`'
complete -c kubectl-keda -n "__fish_kubectl_keda_using_subcommand help; and not __fish_seen_subcommand_from install upgrade uninstall status explain connections validate dry-run simulate record tune scaffold scalers version completion help" -f -a "tune" -d 'Search thresholds, windows and bounds that would have done better on a load'
complete -c kubectl-keda -n "__fish_kubectl_keda_using_subcommand help; and not __fish_seen_subcommand_from install upgrade uninstall status explain connections validate dry-run simulate record tune scaffold scalers version completion help" -f -a "scaffold" -d 'Print a commented manifest for a scaler type'
complete -c kubectl-keda -n "__fish_kubectl_keda_using_subcommand help; and not __fish_seen_subcommand_from install upgrade uninstall status explain connections validate dry-run simulate record tune scaffold scalers version completion help" -f -a "scalers" -d 'List the scaler types, or the settings of one'
complete -c kubectl-keda -n "__fish_kubectl_keda_using_subcommand help; and not __fish_seen_subcommand_from install upgrade uninstall status explain connections validate dry-run simulate record tune scaffold scalers version completion help" -f -a "version" -d 'Show the versions of this command, the cluster and the controller'
complete -c kubectl-keda -n "__fish_kubectl_keda_using_subcommand help; and not __fish_seen_subcommand_from install upgrade uninstall status explain connections validate dry-run simulate record tune scaffold scalers version completion help" -f -a "completion" -d 'Print the completion script of a shell'
complete -c kubectl-keda -n "__fish_kubectl_keda_using_subcommand help; and not __fish_seen_subcommand_from install upgrade uninstall status explain connections validate dry-run simulate record tune scaffold scalers version completion help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
