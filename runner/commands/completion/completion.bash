# bash completion of runner: eval "$(runner completion bash)"

_runner_reply() { # program, and how many words it takes
    local line=${COMP_LINE:0:COMP_POINT} word reply
    local -a words
    read -ra words <<< "$line"
    [[ $line == *[[:space:]] ]] && words+=("")
    word=${words[${#words[@]} - 1]}
    COMPREPLY=()
    while IFS= read -r reply; do
        [[ -n $reply ]] || continue
        # where = parts words, bash replaces only what stands behind the last one
        [[ $word == *=* && $COMP_WORDBREAKS == *=* ]] && reply=${reply#"${word%=*}="}
        COMPREPLY+=("$reply")
    done < <("${words[@]:0:$1}" completion --words "${words[@]:$1}" 2> /dev/null)
    [[ ${#COMPREPLY[@]} -eq 1 && ${COMPREPLY[0]} == *[.=] ]] && compopt -o nospace
    return 0
}

_runner() { _runner_reply 1; }

_runner_python() { # behind python, only `-m runner` is ours
    [[ ${COMP_WORDS[1]} == -m && ${COMP_WORDS[2]} == runner && $COMP_CWORD -gt 2 ]] && _runner_reply 3
    return 0
}

complete -o bashdefault -o default -F _runner runner
complete -p python > /dev/null 2>&1 || complete -o bashdefault -o default -F _runner_python python
complete -p python3 > /dev/null 2>&1 || complete -o bashdefault -o default -F _runner_python python3
