# zsh completion of runner, after compinit: eval "$(runner completion zsh)"

_runner_reply() { # how many words the program takes
    local -a replies open whole
    replies=("${(@f)$("${(@)words[1,$1]}" completion --words "${(@)words[$1+1,CURRENT]}" 2> /dev/null)}")
    open=(${(M)replies:#*[.=]})
    whole=(${replies:#*[.=]})
    (( $#open )) && compadd -S '' -- $open
    (( $#whole )) && compadd -- $whole
    if (( ! $#open + $#whole )); then
        [[ $PREFIX == *=* ]] && compset -P '*='
        _files
    fi
}

_runner() { _runner_reply 1; }

_runner_python() { # behind python, only `-m runner` is ours
    if [[ ${words[2]} == -m && ${words[3]} == runner ]] && (( CURRENT > 3 )); then
        _runner_reply 3
    elif (( $+functions[_python] )); then
        _python "$@"
    else
        _files
    fi
}

compdef _runner runner
compdef _runner_python python python3
